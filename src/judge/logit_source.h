// Where the logits of a scored text come from: a model that runs, or a file that kept what one said.
#pragma once
#include <memory>

#include "judge/scored_text.h"
#include "judge/statistics.h"
#include "runtime/loaded_model.h"
#include "runtime/session.h"

namespace assay {

/// Rows of one chunk after another: begin(chunk), then read() until its n_rows are handed out.
class LogitSource {
 public:
  virtual ~LogitSource() = default;
  virtual size_t vocab_size() const = 0;
  /// read() gives log-probabilities, not logits.
  virtual bool normalized() const { return false; }
  virtual void begin(size_t chunk) = 0;
  /// The next n_rows rows of the chunk: (n_rows, vocab_size) into `logits`.
  virtual void read(size_t n_rows, float* logits) = 0;
};

/// Runs a model over the chunks. What it refers to outlives it.
class ModelSource final : public LogitSource {
 public:
  /// Throws UsageError when the text has tokens that the model has not, or chunks longer than it can run;
  /// MachineError.
  ModelSource(LoadedModel& loaded, const ScoredText& text, size_t n_batch, KvType kv_type);
  size_t vocab_size() const override { return vocab_size_; }
  void begin(size_t chunk) override;
  void read(size_t n_rows, float* logits) override;
  /// The same, and the final norms (n_rows, d_model) behind them.
  void read(size_t n_rows, float* logits, float* normed);

 private:
  const ScoredText& text_;
  size_t vocab_size_;
  Session session_;
  std::vector<int32_t> input_;
  size_t at_ = 0;  // position of the next row
};

}  // namespace assay
