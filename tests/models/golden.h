// Golden models: where they are, what the reference computed, and runs of ours to hold against it.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "model/model.h"
#include "ops/trace_ops.h"

namespace assay::golden {

/// Rows of numbers: logits, (n_tokens, vocab_size).
struct Rows {
  size_t n_cols = 0;
  std::vector<float> values;
  size_t n_rows() const { return values.size() / n_cols; }
  std::span<const float> row(size_t i) const { return std::span(values).subspan(i * n_cols, n_cols); }
  /// Rows [begin, begin + count).
  Rows rows(size_t begin, size_t count) const;
};

/// An evaluator of the op set under test.
struct Evaluator {
  std::string name;
  std::function<std::unique_ptr<Ops>(ThreadPool&)> make;
  bool rounds_activations = false;  // to int8 before products with quantized weights
};
const std::vector<Evaluator>& evaluators();

/// The folder of one golden model: under ASSAY_GOLDEN_DIR, which has all files of all of them, else in the
/// repository; nullopt when in neither.
std::optional<std::filesystem::path> find_model(const std::string& name);

std::string read_text(const std::filesystem::path& path);
/// Little-endian floats. Throws std::runtime_error.
std::vector<float> read_floats(const std::filesystem::path& path);

/// A model on one evaluator, with an f32 KV cache that starts empty.
class Evaluation {
 public:
  Evaluation(const std::filesystem::path& gguf, const Evaluator& evaluator, size_t n_ctx = 0,
             TraceSink sink = {});

  const Model& model() const { return model_; }
  /// Forgets everything, then evaluates `ids` in batches of n_batch (0: all at once): logits of every
  /// position.
  Rows logits(std::span<const int32_t> ids, size_t n_batch = 0);

 private:
  ThreadPool pool_{1};
  Model model_;
  std::unique_ptr<Ops> evaluator_;
  std::unique_ptr<Ops> trace_;
};

/// How far two sets of logits are apart.
struct Difference {
  double max = 0, rms = 0;
  double mean_kl = 0;  // of soft-maxed rows, reference || ours, nats
};
Difference compare(const Rows& reference, const Rows& ours);

/// Rows where ours picks another top token although the reference's two best are further apart than `margin`.
std::vector<size_t> wrong_tops(const Rows& reference, const Rows& ours, double margin);

}  // namespace assay::golden
