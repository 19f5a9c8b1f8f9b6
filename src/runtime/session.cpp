#include "runtime/session.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "runtime/memory_use.h"

namespace assay {
namespace {

// A cache of more positions than this is a mistake of the caller: positions are int32_t.
constexpr size_t kMaxContext = size_t(1) << 30;

size_t need_range(const char* what, size_t value, size_t most) {
  if (value < 1 || value > most)
    throw UsageError(std::string(what) + " is " + std::to_string(value) + ", allowed are 1 to " +
                     std::to_string(most));
  return value;
}

/// Refuses a cache that cannot fit, before a product of its sizes can wrap or the system starts to swap.
void need_memory(const KvShape& s) {
  const double n_bytes = 2.0 * double(s.n_layers) * double(s.n_ctx) * double(s.n_kv_heads * s.head_dim) *
                         kv_info(s.type).bytes_per_number;
  const uint64_t memory = physical_memory_bytes();
  if (n_bytes > (memory != 0 ? double(memory) : 0x1p46))
    throw MachineError("a context of " + std::to_string(s.n_ctx) + " positions needs " +
                       std::to_string(uint64_t(n_bytes / 0x1p20)) +
                       " MiB for its KV cache, this machine has " + std::to_string(memory >> 20) + " MiB");
}

}  // namespace

Session::Session(const Model& model, Ops& ops, const SessionOptions& options)
    : model_(model),
      ops_(ops),
      n_ctx_(need_range("the context size", options.n_ctx == 0 ? model.hparams().n_ctx_train : options.n_ctx,
                        kMaxContext)),
      n_batch_(std::min(need_range("the batch size", options.n_batch, 1 << 16), n_ctx_)),
      n_logit_rows_(
          std::min(need_range("the number of logit rows", options.n_logit_rows, 1 << 16), n_batch_)),
      n_vocab_(model.hparams().vocab_size) {
  const Hparams& h = model.hparams();
  if (h.has_position_embedding && n_ctx_ > h.n_ctx_train)
    throw UsageError("the context size is " + std::to_string(n_ctx_) + ", the model has learned " +
                     std::to_string(h.n_ctx_train) + " positions");
  const KvShape shape{h.n_layers, h.n_kv_heads, h.head_dim, n_ctx_, options.kv_type};
  need_memory(shape);
  if (const KvTypeInfo& kv = kv_info(options.kv_type); h.head_dim % kv.group != 0)
    throw UsageError("a KV cache of " + std::string(kv.name) + " takes heads in groups of " +
                     std::to_string(kv.group) + " numbers, this model's have " + std::to_string(h.head_dim) +
                     ": use f16");
  kv_ = ops.make_kv_cache(shape);
  workspace_ = model.allocate(ops, n_batch_, n_logit_rows_);
  ids_.reserve(n_ctx_);
  positions_.resize(n_batch_);
  caches_.assign(n_batch_, kv_.get());
  logits_.resize(n_logit_rows_ * n_vocab_);
  normed_.resize(n_logit_rows_ * h.d_model);
}

void Session::run(std::span<const int32_t> ids) {
  std::iota(positions_.begin(), positions_.begin() + std::ptrdiff_t(ids.size()), int32_t(ids_.size()));
  const Batch batch{ids, {positions_.data(), ids.size()}, {caches_.data(), ids.size()}};
  model_.run(ops_, batch, *workspace_);
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

Status Session::prefill(std::span<const int32_t> ids, const std::atomic<bool>* cancel) {
  if (ids.size() > n_left()) return Status::context_full;
  while (!ids.empty()) {
    if (cancel && cancel->load(std::memory_order_relaxed)) return Status::cancelled;
    const size_t n = std::min(ids.size(), n_batch_);
    run(ids.first(n));
    ids = ids.subspan(n);
    if (ids.empty()) ops_.read(model_.logits(ops_, *workspace_, n - 1, 1), logits_.data());
  }
  return Status::ok;
}

Status Session::prefill(std::span<const int32_t> ids, const RowCallback& row,
                        const std::atomic<bool>* cancel) {
  if (ids.size() > n_left()) return Status::context_full;
  while (!ids.empty()) {
    if (cancel && cancel->load(std::memory_order_relaxed)) return Status::cancelled;
    const size_t n = std::min(ids.size(), n_batch_), first = ids_.size();
    run(ids.first(n));
    ids = ids.subspan(n);
    for (size_t begin = 0; begin < n; begin += n_logit_rows_) {
      const size_t count = std::min(n - begin, n_logit_rows_);
      ops_.read(model_.logits(ops_, *workspace_, begin, count), logits_.data());
      ops_.read(workspace_->normed.rows(begin, count), normed_.data());
      const size_t d_model = normed_.size() / n_logit_rows_;
      for (size_t i = 0; i < count; ++i)
        row(first + begin + i, {logits_.data() + i * n_vocab_, n_vocab_},
            {normed_.data() + i * d_model, d_model});
      if (ids.empty() && begin + count == n)  // logits() is the last row
        std::copy_n(logits_.data() + (count - 1) * n_vocab_, n_vocab_, logits_.data());
    }
  }
  return Status::ok;
}

Status Session::step_together(std::span<Session* const> sessions, std::span<const int32_t> ids) {
  assert(sessions.size() == ids.size());
  for (const Session* s : sessions)
    if (s->n_left() == 0) return Status::context_full;
  while (!sessions.empty()) {
    Session& first = *sessions[0];
    const size_t n = std::min(sessions.size(), first.n_batch_);
    for (size_t i = 0; i < n; ++i) {
      first.positions_[i] = int32_t(sessions[i]->ids_.size());
      first.caches_[i] = sessions[i]->kv_.get();
    }
    const Batch batch{ids.first(n), {first.positions_.data(), n}, {first.caches_.data(), n}};
    first.model_.run(first.ops_, batch, *first.workspace_);
    std::fill_n(first.caches_.begin(), n, first.kv_.get());
    for (size_t begin = 0; begin < n; begin += first.n_logit_rows_) {
      const size_t count = std::min(n - begin, first.n_logit_rows_);
      const Tensor logits = first.model_.logits(first.ops_, *first.workspace_, begin, count);
      for (size_t i = 0; i < count; ++i)
        first.ops_.read(logits.rows(i, 1), sessions[begin + i]->logits_.data());
    }
    for (size_t i = 0; i < n; ++i) sessions[i]->ids_.push_back(ids[i]);
    sessions = sessions.subspan(n);
    ids = ids.subspan(n);
  }
  return Status::ok;
}

uint64_t Session::kv_bytes() const {
  const KvShape& s = kv_->shape();
  return uint64_t(2 * double(s.n_layers * s.n_kv_heads * s.head_dim * s.n_ctx) *
                  kv_info(s.type).bytes_per_number);
}

size_t Session::keep_prefix(std::span<const int32_t> ids) {
  const size_t most = std::min(ids_.size(), ids.empty() ? 0 : ids.size() - 1);
  const auto end = std::mismatch(ids.begin(), ids.begin() + std::ptrdiff_t(most), ids_.begin()).first;
  truncate(size_t(end - ids.begin()));
  return ids_.size();
}

void Session::truncate(size_t n) {
  assert(n <= ids_.size());
  ids_.resize(n);
}

}  // namespace assay
