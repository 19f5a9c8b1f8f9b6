#include "judge/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <exception>

#include "ops/substitute_ops.h"
#include "quant/encode/encode.h"

namespace assay {
namespace {

/// Coarse enough that its KL stands out, fine enough that KL still grows with the square of the error; the
/// second for rows that super-blocks do not divide.
constexpr const char* kProbe[] = {"Q3_K", "Q4_0"};
constexpr uint64_t kSampled = 8;  // of so many rows one is measured

const QuantType& probe_type(const TensorInfo& tensor) {
  for (const char* name : kProbe)
    if (const QuantType* type = find_quant_type(name); tensor.n_cols() % type->block_elems == 0) return *type;
  return *find_quant_type("F16");
}

/// The logits of a text, kept.
class KeptLogits final : public LogitSource {
 public:
  KeptLogits(LogitSource& from, const ScoredText& text)
      : n_vocab_(from.vocab_size()), n_rows_(text.n_rows()) {
    logits_.resize(text.n_scored() * n_vocab_);
    for (size_t chunk = 0; chunk < text.n_chunks; ++chunk) {
      from.begin(chunk);
      from.read(n_rows_, logits_.data() + chunk * n_rows_ * n_vocab_);
    }
  }
  size_t vocab_size() const override { return n_vocab_; }
  void begin(size_t chunk) override { next_ = chunk * n_rows_; }
  void read(size_t n_rows, float* logits) override {
    std::copy_n(logits_.begin() + std::ptrdiff_t(next_ * n_vocab_), n_rows * n_vocab_, logits);
    next_ += n_rows;
  }

 private:
  size_t n_vocab_, n_rows_, next_ = 0;
  std::vector<float> logits_;
};

/// Runs the model with some weights replaced.
class SubstituteSource final : public LogitSource {
 public:
  SubstituteSource(LoadedModel& loaded, const ScoredText& text)
      : text_(text),
        n_vocab_(loaded.model().hparams().vocab_size),
        ops_(loaded.ops()),
        session_(loaded.model(), ops_, {.n_ctx = text.n_ctx, .n_logit_rows = 16}) {}
  SubstituteOps& ops() { return ops_; }
  size_t vocab_size() const override { return n_vocab_; }
  void begin(size_t chunk) override {
    input_ = text_.input(chunk);
    session_.reset();
    session_.prefill(std::span(input_).first(text_.first()));
  }
  void read(size_t n_rows, float* logits) override {
    session_.prefill(std::span(input_).subspan(session_.ids().size(), n_rows),
                     [&](size_t, std::span<const float> row, std::span<const float>) {
                       logits = std::copy(row.begin(), row.end(), logits);
                     });
  }

 private:
  const ScoredText& text_;
  size_t n_vocab_;
  SubstituteOps ops_;
  Session session_;
  std::vector<int32_t> input_;
};

}  // namespace

struct SensitivityProbe::State {
  LoadedModel& loaded;
  const ScoredText& text;
  const Imatrix* imatrix;
  ThreadPool& pool;
  SubstituteSource source;
  KeptLogits base;
  // The evaluator keeps its own form of a weight under its number for good, so numbers are not used twice.
  std::deque<Weight> replacements;
  std::deque<std::vector<std::byte>> bytes;

  State(LoadedModel& loaded_, const ScoredText& text_, const Imatrix* imatrix_, ThreadPool& pool_)
      : loaded(loaded_),
        text(text_),
        imatrix(imatrix_),
        pool(pool_),
        source(loaded_, text_),
        base(source, text_) {}

  const Weight& weight_of(const TensorInfo& tensor) const {
    for (const Weight& weight : loaded.model().weights())
      if (weight.name == tensor.name) return weight;
    throw UsageError(printable(tensor.name) + ": the model computes nothing with it");
  }

  std::vector<float> importance_of(const Weight& weight) const {
    if (!imatrix) return {};
    const auto entry = imatrix->entries.find(weight.name);
    if (entry == imatrix->entries.end()) return {};
    return column_importance(weight.name, entry->second, weight.n_cols, weight.n_experts);
  }

  /// Calls visit(row number, floats, importance of its columns) for every `stride`-th row, on all threads.
  /// Throws UsageError naming the tensor for a value that no block can hold.
  template <class Visit>
  void for_rows(const Weight& weight, uint64_t stride, const Visit& visit) {
    const std::vector<float> importance = importance_of(weight);
    const size_t n_rows = weight.n_rows * weight.n_experts, n_visits = (n_rows + stride - 1) / stride;
    std::vector<std::exception_ptr> errors(n_visits);
    pool.run(n_visits, [&](size_t i) {
      try {
        const size_t row = i * stride, expert = row / weight.n_rows;
        std::vector<float> values(weight.n_cols);
        weight.type->dequantize(weight.row(row % weight.n_rows, expert).data(),
                                weight.n_cols / weight.type->block_elems, values.data());
        std::span<const float> columns(importance);
        if (!columns.empty()) columns = columns.subspan(expert * weight.n_cols, weight.n_cols);
        visit(row, values, columns);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    });
    for (size_t i = 0; i < n_visits; ++i) try {
        if (errors[i]) std::rethrow_exception(errors[i]);
      } catch (const NotFinite& error) {
        throw UsageError("tensor " + printable(weight.name) + ", row " + std::to_string(i * stride) +
                         ", column " + std::to_string(error.col) + ": is not a number that a block can hold");
      }
  }

  const Weight& stored(const Weight& weight, const QuantType& type) {
    const size_t row_bytes = weight.n_cols / type.block_elems * type.block_bytes;
    std::vector<std::byte>& blocks = bytes.emplace_back(row_bytes * weight.n_rows * weight.n_experts);
    for_rows(weight, 1, [&](size_t row, const std::vector<float>& values, std::span<const float> importance) {
      encode_rows(type, values.data(), 1, weight.n_cols, {importance, Effort::fast},
                  blocks.data() + row * row_bytes);
    });
    Weight& other = replacements.emplace_back(weight);
    other.type = &type;
    other.bytes = blocks;
    other.id = uint32_t(loaded.model().weights().size() + replacements.size() - 1);
    const Weight* const all[] = {&other};
    loaded.ops().load(all, [](uint64_t, uint64_t) {});
    return other;
  }

  /// sum w (x - y)^2 / sum w x^2 of an eighth of the rows.
  double squared_error(const Weight& weight, const QuantType& type) {
    const size_t n_rows = (weight.n_rows * weight.n_experts + kSampled - 1) / kSampled;
    std::vector<double> errors(n_rows), norms(n_rows);
    const size_t row_bytes = weight.n_cols / type.block_elems * type.block_bytes;
    for_rows(weight, kSampled,
             [&](size_t row, const std::vector<float>& values, std::span<const float> importance) {
               std::vector<std::byte> blocks(row_bytes);
               std::vector<float> decoded(values.size());
               encode_rows(type, values.data(), 1, values.size(), {importance, Effort::fast}, blocks.data());
               type.dequantize(blocks.data(), values.size() / type.block_elems, decoded.data());
               double error = 0, norm = 0;
               for (size_t j = 0; j < values.size(); ++j) {
                 const double w = importance.empty() ? 1 : importance[j], x = values[j],
                              d = x - double(decoded[j]);
                 error += w * d * d;
                 norm += w * x * x;
               }
               errors[row / kSampled] = error;
               norms[row / kSampled] = norm;
             });
    double error = 0, norm = 0;
    for (size_t i = 0; i < n_rows; ++i) {
      error += errors[i];
      norm += norms[i];
    }
    return norm > 0 ? error / norm : 0;
  }

  Estimate kl() {
    LogitSource* const models[] = {&source};
    const auto all = measure_divergence(base, models, text, pool, [](auto) { return true; });
    std::vector<double> kl(all[0].size());
    std::transform(all[0].begin(), all[0].end(), kl.begin(), [](const Divergence& d) { return d.kl; });
    return mean(kl);
  }
};

SensitivityProbe::SensitivityProbe(LoadedModel& loaded, const ScoredText& text, const Imatrix* imatrix,
                                   ThreadPool& pool)
    : state_(std::make_unique<State>(loaded, text, imatrix, pool)) {}
SensitivityProbe::~SensitivityProbe() = default;

TensorCosts SensitivityProbe::measure(const TensorInfo& tensor, std::span<const QuantType* const> types) {
  const Weight& weight = state_->weight_of(tensor);
  const QuantType& probe = probe_type(tensor);
  state_->source.ops().replace(weight.id, &state_->stored(weight, probe));
  const double kl = std::max(state_->kl().value, 0.0);
  state_->source.ops().replace(weight.id, nullptr);
  const double probe_error = state_->squared_error(weight, probe);
  TensorCosts costs{&tensor, {}};
  for (const QuantType* type : types) {
    if (tensor.n_cols() % type->block_elems != 0) continue;
    const double error = state_->squared_error(weight, *type);
    costs.options.push_back({type, tensor.n_elements / type->block_elems * type->block_bytes,
                             probe_error > 0 ? kl * error / probe_error : 0});
  }
  std::stable_sort(costs.options.begin(), costs.options.end(),
                   [](const auto& a, const auto& b) { return a.n_bytes < b.n_bytes; });
  return costs;
}

Estimate SensitivityProbe::kl_of(std::span<const std::pair<const TensorInfo*, const QuantType*>> stored) {
  for (const auto& [tensor, type] : stored) {
    const Weight& weight = state_->weight_of(*tensor);
    state_->source.ops().replace(weight.id, &state_->stored(weight, *type));
  }
  const Estimate kl = state_->kl();
  for (const auto& one : stored) state_->source.ops().replace(state_->weight_of(*one.first).id, nullptr);
  return kl;
}

}  // namespace assay
