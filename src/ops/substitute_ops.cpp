#include "ops/substitute_ops.h"

namespace assay {

void SubstituteOps::replace(uint32_t id, const Weight* weight) {
  if (weights_.size() <= id) weights_.resize(id + 1);
  weights_[id] = weight;
}

const Weight* SubstituteOps::replacement(const Weight& weight) const {
  return weight.id < weights_.size() ? weights_[weight.id] : nullptr;
}

std::span<const Product> SubstituteOps::replaced(std::span<const Product> products) {
  products_.assign(products.begin(), products.end());
  for (Product& product : products_)
    if (const Weight* weight = replacement(*product.linear->weight)) {
      std::unique_ptr<Linear>& linear = linears_[product.linear];
      if (!linear) linear = std::make_unique<Linear>(*product.linear);
      linear->weight = weight;
      product.linear = linear.get();
    }
  return products_;
}

void SubstituteOps::embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept {
  const Weight* const other = replacement(table);
  inner().embed(name, out, other ? *other : table, ids);
}

void SubstituteOps::linear(std::span<const Product> products, Tensor in) noexcept {
  inner().linear(replaced(products), in);
}

void SubstituteOps::expert_linear(std::span<const Product> products, Tensor in,
                                  const Routing& routing) noexcept {
  inner().expert_linear(replaced(products), in, routing);
}

}  // namespace assay
