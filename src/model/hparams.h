// Hyperparameters of a model and the typed reading of them.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "ops/ops.h"

namespace assay {

/// The sizes and constants of a model, checked for range and against one another. Names: docs/token.md.
struct Hparams {
  std::string arch;
  size_t n_layers = 0, d_model = 0, d_ff = 0;
  size_t n_heads = 0, n_kv_heads = 0, head_dim = 0;
  size_t n_ctx_train = 0, vocab_size = 0;
  size_t n_experts = 0, d_ff_expert = 0;  // 0: no mixture
  RouteParams route;
  Norm::Kind norm_kind = Norm::Kind::rms;
  double norm_epsilon = 0;
  Rope rope;                   // no frequencies: the architecture does not rotate
  double attention_scale = 0;  // multiplies q . k
  double attention_soft_cap = 0, logit_soft_cap = 0;
  double embedding_scale = 1;
  bool has_position_embedding = false;  // learned positions, added to the token's embedding

  /// Layers that see only the last `window` positions and rotate in their own way.
  struct Local {
    std::vector<bool> layers;  // empty: none
    size_t window = 0;
    Rope rope;
  } local;

  size_t q_dim() const { return n_heads * head_dim; }
  size_t kv_dim() const { return n_kv_heads * head_dim; }
  bool is_local(size_t layer) const { return !local.layers.empty() && local.layers[layer]; }
  const Rope& rope_of(size_t layer) const { return is_local(layer) ? local.rope : rope; }
  AttentionParams attention_of(size_t layer) const {
    return {n_heads,         n_kv_heads,         head_dim,
            attention_scale, attention_soft_cap, is_local(layer) ? local.window : 0};
  }
};

/// Reads keys under the architecture's prefix ("llama.") and remembers which were read, so that a key which
/// changes the computation and that nobody understood can be reported. Wrong types, ranges and absent keys
/// are LoadErrors. Numbers are finite.
class HparamReader {
 public:
  /// `n_ctx`: length of the caches the model will run with; 0: its training context.
  HparamReader(const GgufFile& file, std::string arch, size_t n_ctx);

  const std::string& arch() const { return arch_; }
  const GgufFile& file() const { return file_; }
  size_t n_ctx() const { return n_ctx_; }

  /// A count in [least, most]. An array of equal counts (one a layer) is that count; of different ones,
  /// Unsupported.
  size_t need_size(std::string_view key, size_t most, size_t least = 1);
  size_t find_size(std::string_view key, size_t otherwise, size_t most, size_t least = 1);
  /// A number in [least, most].
  double need_float(std::string_view key, double least, double most);
  double find_float(std::string_view key, double otherwise, double least, double most);
  bool find_bool(std::string_view key, bool otherwise);
  std::string_view find_string(std::string_view key, std::string_view otherwise);
  /// Null when absent.
  const Value* find(std::string_view key);
  std::vector<int64_t> find_ints(std::string_view key);

  /// Marks a key as one that does not change the computation.
  void ignore(std::string_view key) { note(key); }
  /// The value at `key` is understood and not followed: `why` joins the warnings when the key is there.
  void warn(std::string_view key, std::string_view why);
  /// The value at `key` is not allowed: throws BadValue, or Unsupported where only Assay cannot.
  [[noreturn]] void fail(std::string_view key, const std::string& problem) const;
  [[noreturn]] void unsupported(std::string_view key, const std::string& problem) const;
  /// What warn() was told, then the keys under the prefix that nobody asked for.
  std::vector<std::string> warnings() const;

 private:
  std::string full(std::string_view key) const { return arch_ + "." + std::string(key); }
  const std::string& note(std::string_view key) { return *seen_.insert(full(key)).first; }

  const GgufFile& file_;
  std::string arch_;
  size_t n_ctx_;
  std::set<std::string> seen_;
  std::vector<std::string> warnings_;
};

/// What an architecture fixes and its files do not say.
struct Convention {
  Norm::Kind norm = Norm::Kind::rms;
  std::optional<Rope::Pairs> rope_pairs = Rope::Pairs::halves;  // nullopt: no rotation
};

/// What every architecture shares: sizes, heads, norm epsilon, experts, RoPE with its scaling.
Hparams read_common_hparams(HparamReader& reader, const Convention& convention);

/// Reads which layers are local: `attention.sliding_window` positions wide (absent: default_window; 0: no
/// layer is), by `attention.sliding_window_pattern`, a period whose last layer alone is global (absent:
/// default_period) or one flag a layer. Fills h.local but for its rope.
void read_local_layers(HparamReader& reader, Hparams& h, size_t default_window, size_t default_period);

/// The rotation of local layers: that of h.rope without scaling, with the base at `rope.freq_base_swa`.
Rope read_local_rope(HparamReader& reader, const Hparams& h, double default_base);

}  // namespace assay
