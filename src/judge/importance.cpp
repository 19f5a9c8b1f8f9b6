#include "judge/importance.h"

#include <exception>

#include "ops/forward_ops.h"
#include "runtime/session.h"

namespace assay {
namespace {

/// Adds up the inputs of the products with the weights that have an entry.
class ImportanceOps final : public ForwardOps {
 public:
  ImportanceOps(Ops& inner, const Model& model, bool with_output, Imatrix& into) : ForwardOps(inner) {
    for (const Weight* weight : model.product_weights()) {
      if (!weight->name.starts_with("blk.") && !(with_output && weight->name == "output.weight")) continue;
      if (entries_.size() <= weight->id) entries_.resize(weight->id + 1);
      ImatrixEntry& entry = into.entries[weight->name];
      if (entry.n_cols == 0) {
        entry.n_cols = weight->n_cols;
        entry.counts.resize(weight->n_experts);
        entry.sums.resize(weight->n_experts * weight->n_cols);
      }
      if (entry.n_cols != weight->n_cols || entry.counts.size() != weight->n_experts)
        throw UsageError("the importance matrix has " + printable(weight->name) +
                         " of another shape: it is not of this model");
      entries_[weight->id] = &entry;
    }
  }
  /// What went wrong in an operation, which itself may not throw.
  std::exception_ptr failure() const { return failure_; }

  void linear(std::span<const Product> products, Tensor in) noexcept override {
    inner().linear(products, in);
    add_up(
        products, in, [&](size_t row, const auto& add) { add(row, 0); }, in.n_rows);
  }
  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override {
    inner().expert_linear(products, in, routing);
    const size_t n_slots = routing.experts.size(), slots_per_row = n_slots / in.n_rows;
    add_up(
        products, in,
        [&](size_t slot, const auto& add) { add(slot / slots_per_row, size_t(routing.experts[slot])); },
        n_slots);
  }

 private:
  ImatrixEntry* entry_of(const Product& product) const {
    const size_t id = product.linear->weight->id;
    return id < entries_.size() ? entries_[id] : nullptr;
  }

  /// visit(item, add) calls add(row of `in`, expert) for each of n_items.
  template <class Visit>
  void add_up(std::span<const Product> products, Tensor in, const Visit& visit, size_t n_items) noexcept {
    if (failure_) return;
    try {
      rows_.resize(in.n_rows * in.n_cols);
      inner().read(in, rows_.data());
      for (const Product& product : products)
        if (ImatrixEntry* const entry = entry_of(product))
          for (size_t item = 0; item < n_items; ++item)
            visit(item, [&](size_t row, size_t expert) {
              const double* const x = rows_.data() + row * in.n_cols;
              double* const sums = entry->sums.data() + expert * in.n_cols;
              for (size_t j = 0; j < in.n_cols; ++j) sums[j] += x[j] * x[j];
              ++entry->counts[expert];
            });
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  std::vector<ImatrixEntry*> entries_;  // by the weight's id; null: not collected
  std::vector<double> rows_;
  std::exception_ptr failure_;
};

}  // namespace

void collect_importance(LoadedModel& loaded, const ScoredText& text, size_t first_chunk,
                        const ImportanceOptions& options, Imatrix& into,
                        const std::function<bool(size_t)>& chunk_done) {
  ImportanceOps ops(loaded.ops(), loaded.model(), options.with_output, into);
  Session session(loaded.model(), ops,
                  {.n_ctx = text.n_ctx,
                   .n_batch = options.n_batch,
                   .n_logit_rows = options.n_batch,
                   .kv_type = KvType::f16});
  for (size_t chunk = first_chunk; chunk < text.n_chunks; ++chunk) {
    session.reset();
    // The output's input is seen at every position only when every position's logits are asked for.
    if (options.with_output)
      session.prefill(text.input(chunk), [](size_t, std::span<const float>, std::span<const float>) {});
    else
      session.prefill(text.input(chunk));
    if (ops.failure()) std::rethrow_exception(ops.failure());
    ++into.chunk_count;
    if (!chunk_done(chunk)) break;
  }
}

}  // namespace assay
