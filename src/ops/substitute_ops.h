// Other weights in place of a model's own: what would the model say if a tensor were stored differently?
#pragma once
#include <memory>
#include <unordered_map>

#include "ops/forward_ops.h"

namespace assay {

/// Runs `inner` with some weights replaced, by id. Everything else passes unchanged.
class SubstituteOps final : public ForwardOps {
 public:
  explicit SubstituteOps(Ops& inner) : ForwardOps(inner) {}

  /// From here on products and lookups with the weight of number `id` use `weight`, of the same shape, which
  /// the inner evaluator has loaded under a number of its own and which outlives the use; null: the model's
  /// own again.
  void replace(uint32_t id, const Weight* weight);

  void embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override;
  void linear(std::span<const Product> products, Tensor in) noexcept override;
  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override;

 private:
  const Weight* replacement(const Weight& weight) const;
  std::span<const Product> replaced(std::span<const Product> products);

  std::vector<const Weight*> weights_;                                  // by id; null: not replaced
  std::unordered_map<const Linear*, std::unique_ptr<Linear>> linears_;  // with the replaced weight
  std::vector<Product> products_;
};

}  // namespace assay
