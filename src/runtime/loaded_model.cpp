#include "runtime/loaded_model.h"

namespace assay {
namespace {

size_t thread_count(size_t asked) {
  constexpr size_t kMostThreads = 1024;
  if (asked > kMostThreads)
    throw UsageError(std::to_string(asked) + " threads: at most " + std::to_string(kMostThreads) +
                     " are allowed");
  return asked == 0 ? ThreadPool::default_threads() : asked;
}

}  // namespace

LoadedModel::LoadedModel(const std::filesystem::path& path, const LoadOptions& options)
    : pool_(thread_count(options.n_threads)), model_(GgufFile::open(path)), warnings_(model_.warnings()) {
  const GgufFile& file = model_.file();
  const Backend& backend = options.backend.empty() ? backends().front() : need_backend(options.backend);
  if (options.with_tokenizer) {
    tokenizer_ = make_tokenizer(file.metadata());
    const size_t n_tokens = size_t(tokenizer_->vocabulary().n_tokens()), n_rows = model_.hparams().vocab_size;
    if (n_tokens > n_rows)
      throw BadValue(file.metadata().place("tokenizer.ggml.tokens"), "has " + std::to_string(n_tokens) +
                                                                         " tokens, token_embd.weight " +
                                                                         std::to_string(n_rows) + " rows");
    warnings_.insert(warnings_.end(), tokenizer_->warnings().begin(), tokenizer_->warnings().end());
  }
  ops_ = backend.make({pool_, [&file](const Weight& weight, uint64_t at, std::span<std::byte> out) {
                         file.read(weight.bytes.subspan(at, out.size()), out.data(), weight.name);
                       }});
  const std::vector<const Weight*> weights = model_.product_weights();
  ops_->load(
      weights, options.progress ? options.progress : [](uint64_t, uint64_t) {});
}

}  // namespace assay
