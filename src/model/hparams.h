// Hyperparameters of a model and the typed reading of them.
#pragma once
#include <set>
#include <string>
#include <string_view>

#include "gguf/gguf.h"
#include "ops/ops.h"

namespace assay {

/// The sizes and constants of a model, checked for range and against one another. Names: docs/token.md.
struct Hparams {
  std::string arch;
  size_t n_layers = 0, d_model = 0, d_ff = 0;
  size_t n_heads = 0, n_kv_heads = 0, head_dim = 0;
  size_t n_ctx_train = 0, vocab_size = 0;
  size_t n_experts = 0, n_experts_used = 0, d_ff_expert = 0;  // 0: no mixture
  Norm::Kind norm_kind = Norm::Kind::rms;
  double norm_epsilon = 0;
  Rope rope;                   // of every layer, unless the architecture gives a layer another
  double attention_scale = 0;  // multiplies q . k
  double attention_soft_cap = 0, logit_soft_cap = 0;
  double embedding_scale = 1;
  bool has_position_embedding = false;  // learned positions, added to the token's embedding

  size_t q_dim() const { return n_heads * head_dim; }
  size_t kv_dim() const { return n_kv_heads * head_dim; }
  AttentionParams attention(size_t window = 0) const {
    return {n_heads, n_kv_heads, head_dim, attention_scale, attention_soft_cap, window};
  }
};

/// Reads keys under the architecture's prefix ("llama.") and remembers which were read, so that a key which
/// changes the computation and that nobody understood can be reported. Wrong types, ranges and absent keys
/// are LoadErrors.
class HparamReader {
 public:
  HparamReader(const GgufFile& file, std::string arch);

  const std::string& arch() const { return arch_; }
  const GgufFile& file() const { return file_; }
  /// A count of at least 1 and at most `most`. An array of equal counts (one a layer) is that count.
  size_t need_size(std::string_view key, size_t most = 1u << 24);
  size_t find_size(std::string_view key, size_t otherwise, size_t most = 1u << 24);
  double need_float(std::string_view key);
  double find_float(std::string_view key, double otherwise);
  bool find_bool(std::string_view key, bool otherwise);
  std::string_view find_string(std::string_view key, std::string_view otherwise);
  std::vector<int64_t> find_ints(std::string_view key);
  /// Marks a key as one that does not change the computation.
  void ignore(std::string_view key) { seen_.insert(full(key)); }
  /// One or more values at a `key` are not allowed: throws BadValue.
  [[noreturn]] void fail(std::string_view key, const std::string& problem) const;
  /// Keys under the prefix that nobody asked for.
  std::vector<std::string> unread() const;

 private:
  std::string full(std::string_view key) const { return arch_ + "." + std::string(key); }
  const std::string& note(std::string_view key) { return *seen_.insert(full(key)).first; }

  const GgufFile& file_;
  std::string arch_;
  std::set<std::string> seen_;
};

/// What every architecture shares: sizes, heads, norm epsilon (RMS, else layer norm), experts, RoPE with its
/// scaling.
Hparams read_common_hparams(HparamReader& reader);

}  // namespace assay
