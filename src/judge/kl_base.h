// What a base model said about a text, kept in a file to judge others by. docs/kl-base.md has the format.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>

#include "judge/logit_source.h"

namespace assay {

/// A text and what the base model said about it, from a file.
class KlBase : public LogitSource {
 public:
  virtual const ScoredText& text() const = 0;
};

/// Opens a file of write_kl_base(), or llama.cpp's ("_logits_"). Throws LoadError for what is neither, cut
/// short, or inconsistent with itself; UsageError, MachineError. llama.cpp's does not say how its chunks
/// began: `tokenizer` does.
std::unique_ptr<KlBase> open_kl_base(const std::filesystem::path& path, const Tokenizer& tokenizer,
                                     size_t n_threads);

/// Runs the model over the text and writes the file. `row` gets the logits of every prediction on the way.
/// Throws as ModelSource and GgufWriter::write().
void write_kl_base(const std::filesystem::path& path, LoadedModel& loaded, const ScoredText& text,
                   size_t n_batch, KvType kv_type,
                   const std::function<void(size_t chunk, size_t row, std::span<const float> logits)>& row);

}  // namespace assay
