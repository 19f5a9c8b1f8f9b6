// Tracing: a decorator of the op set that hands every result on under its name.
#pragma once
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "ops/forward_ops.h"

namespace assay {

/// One named result. Names and kinds are llama.cpp's, so that its own traces line up with ours.
struct TraceRecord {
  std::string name;            // "Qcur-0": what, and the layer
  const char* op;              // kind of the last operation on it, as ggml calls it: "MUL_MAT", "ROPE", ...
  std::vector<size_t> shape;   // row-major, tokens first; a head's numbers apart from the heads where known
  std::vector<double> values;  // the backend's numbers, widened
  Tensor place;  // where they are, for a sink that reads or writes them there; no memory: nowhere
};

using TraceSink = std::function<void(TraceRecord&&)>;

/// Runs every operation on `inner` and hands its result to `sink`, in order of execution. Changes no result.
///
/// Attention gives two records more, computed here in f64 from q and the keys in the cache, whatever `inner`
/// computes: "kq" = q . k before scale, cap and mask, and "kq_soft_max", both [head, query row, key position]
/// with positions up to the batch's last; an entry without a key of its own sequence is 0. Routing gives
/// "ffn_moe_topk" (ids of the experts) and their weights.
class TraceOps final : public ForwardOps {
 public:
  /// `inner` outlives this object.
  TraceOps(Ops& inner, TraceSink sink) : ForwardOps(inner), sink_(std::move(sink)) {}

  /// What the sink, or the memory for a record, threw first; after it nothing more is recorded. Operations
  /// themselves do not throw: ask here when the run is over.
  std::exception_ptr failure() const { return failure_; }

  void embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override;
  void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override;
  void linear(std::span<const Product> products, Tensor in) noexcept override;
  void rope(Name name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override;
  void store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept override;
  void attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                 const AttentionParams& params) noexcept override;
  void activate(Name name, Tensor x, Activation f) noexcept override;
  void activate_mul(Name name, Tensor gate, Tensor up, Activation f) noexcept override;
  void add(Name name, Tensor x, Tensor y) noexcept override;
  void scale(Name name, Tensor x, double factor) noexcept override;
  void soft_cap(Name name, Tensor x, double cap) noexcept override;
  void route(Name name, Routing& routing, Tensor logits, const RouteParams& params) noexcept override;
  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override;
  void expert_sum(Name name, Tensor out, Tensor slots, const Routing& routing) noexcept override;

 private:
  /// Calls `make`, which returns a record, and hands it on; keeps the first exception of either.
  template <class Make>
  void record(const Make& make) noexcept;
  void record(Name name, const char* op, Tensor x, std::vector<size_t> inner_shape) noexcept;

  TraceSink sink_;
  std::exception_ptr failure_;
};

}  // namespace assay
