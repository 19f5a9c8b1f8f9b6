// One sequence: its tokens, its KV cache, and the forward passes that extend it.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/model.h"

namespace assay {

enum class Status : uint8_t { ok, context_full, cancelled };

struct SessionOptions {
  size_t n_ctx = 0;         // positions; 0: what the model was trained for
  size_t n_batch = 256;     // tokens of one forward pass of prefill()
  size_t n_logit_rows = 1;  // positions whose logits prefill() computes at once for a RowCallback
  KvType kv_type = KvType::f16;
};

/// Not thread-safe. After construction nothing allocates and nothing throws but what a callback throws.
class Session {
 public:
  /// Logits (vocab_size) of the token at `position` and what the output product made them of, the final norm
  /// (d_model). Valid during the call.
  using RowCallback =
      std::function<void(size_t position, std::span<const float> logits, std::span<const float> normed)>;

  /// `model` and `ops`, loaded with the model's weights, outlive the session. Throws UsageError when an
  /// option is out of range, MachineError when memory runs out.
  Session(const Model& model, Ops& ops, const SessionOptions& options);

  /// Appends `ids`, each in [0, vocab_size), in batches; logits() are the last one's afterwards. Nothing is
  /// appended when they do not fit (context_full). `cancel`, when set, is looked at between batches; the
  /// batches done until then stay.
  Status prefill(std::span<const int32_t> ids, const std::atomic<bool>* cancel = nullptr);
  /// The same, and hands over the logits of every position in order.
  Status prefill(std::span<const int32_t> ids, const RowCallback& row,
                 const std::atomic<bool>* cancel = nullptr);
  /// Appends one token: prefill() of one.
  Status step(int32_t id) { return prefill({&id, 1}); }
  /// step(ids[i]) of sessions[i], in forward passes that read the weights once for n_batch of the first
  /// session, and the output's once for its n_logit_rows; the logits are those of the lone steps. The
  /// sessions are of one model and Ops, none twice. Nothing is appended when one has no room (context_full).
  static Status step_together(std::span<Session* const> sessions, std::span<const int32_t> ids);

  /// Logits after the last token (vocab_size). Zeros before the first.
  std::span<const float> logits() const { return {logits_.data(), n_vocab_}; }
  /// The tokens in the cache.
  std::span<const int32_t> ids() const { return ids_; }
  size_t n_ctx() const { return n_ctx_; }
  size_t n_left() const { return n_ctx_ - ids_.size(); }
  KvCache& kv() { return *kv_; }
  /// Bytes of the KV cache as its type stores them.
  uint64_t kv_bytes() const;

  /// Forgets what does not begin `ids` too, so that only the rest of `ids` has to be computed; at least its
  /// last token is left to compute. The number of tokens kept.
  size_t keep_prefix(std::span<const int32_t> ids);
  /// Forgets all but the first `n` tokens, n <= ids().size(). logits() stay those of the last token computed.
  void truncate(size_t n);
  void reset() { truncate(0); }

 private:
  void run(std::span<const int32_t> ids);

  const Model& model_;
  Ops& ops_;
  size_t n_ctx_, n_batch_, n_logit_rows_, n_vocab_;
  std::unique_ptr<KvCache> kv_;
  std::unique_ptr<Workspace> workspace_;
  std::vector<int32_t> ids_, positions_;  // room for n_ctx, n_batch
  std::vector<KvCache*> caches_;          // n_batch times kv_
  std::vector<float> logits_;             // (n_logit_rows, n_vocab)
  std::vector<float> normed_;             // (n_logit_rows, d_model)
};

}  // namespace assay
