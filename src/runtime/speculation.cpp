#include "runtime/speculation.h"

#include <algorithm>

namespace assay {

void PromptLookup::propose(std::span<const int32_t> ids, size_t n_most, std::vector<int32_t>& draft) {
  for (size_t n = std::min(kLongest, ids.size() == 0 ? 0 : ids.size() - 1); n > 0; --n) {
    const auto last = ids.last(n);
    for (size_t begin = ids.size() - n; begin-- > 0;) {
      if (!std::ranges::equal(ids.subspan(begin, n), last)) continue;
      const auto next = ids.subspan(begin + n, std::min(n_most, ids.size() - begin - n));
      draft.insert(draft.end(), next.begin(), next.end());
      return;
    }
  }
}

DraftModel::DraftModel(LoadedModel& draft, const Tokenizer& target, const SessionOptions& options)
    : session_(draft.model(), draft.ops(), options), n_tokens_(size_t(target.vocabulary().n_tokens())) {
  const Vocabulary& ours = draft.tokenizer().vocabulary();
  const auto differs = [&](size_t id) { return ours.tokens[id].text != target.vocabulary().tokens[id].text; };
  size_t id = 0;
  while (id < std::min(ours.tokens.size(), n_tokens_) && !differs(id)) ++id;
  if (id < n_tokens_ || ours.tokens.size() != n_tokens_)
    throw UsageError("the draft model has another vocabulary: token " + std::to_string(id) +
                     " is not the same; give a smaller model of the same family");
}

void DraftModel::propose(std::span<const int32_t> ids, size_t n_most, std::vector<int32_t>& draft) {
  if (ids.size() + n_most > session_.n_ctx()) return;
  const size_t n_kept = session_.keep_prefix(ids);
  session_.prefill(ids.subspan(n_kept));
  for (size_t i = 0; i < n_most; ++i) {
    const auto logits = session_.logits().first(n_tokens_);
    draft.push_back(int32_t(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    if (i + 1 < n_most) session_.step(draft.back());
  }
}

LookAhead::LookAhead(Session& session, Drafter* drafter, size_t n_draft)
    : session_(session), drafter_(drafter), n_draft_(n_draft), n_chosen_(session.ids().size()) {}

std::span<const float> LookAhead::logits() const {
  if (rows_.empty()) return session_.logits();
  const size_t n_vocab = session_.logits().size();
  return std::span(rows_).subspan(at_ * n_vocab, n_vocab);
}

Status LookAhead::choose(int32_t id) {
  if (at_ + 1 < batch_.size() && batch_[at_ + 1] == id) {
    ++at_;
    ++n_accepted_;
    ++n_chosen_;
    return Status::ok;
  }
  session_.truncate(n_chosen_);
  if (session_.n_left() == 0) return Status::context_full;
  batch_.assign(session_.ids().begin(), session_.ids().end());
  batch_.push_back(id);
  const size_t n_text = batch_.size(), n_most = std::min(n_draft_, session_.n_left() - 1);
  if (drafter_ && n_most > 0) {
    std::vector<int32_t> draft;
    drafter_->propose(batch_, n_most, draft);
    batch_.insert(batch_.end(), draft.begin(), draft.end());
  }
  batch_.erase(batch_.begin(), batch_.begin() + std::ptrdiff_t(n_text - 1));
  n_drafted_ += batch_.size() - 1;
  ++n_passes_;
  ++n_chosen_;
  at_ = 0;
  rows_.clear();
  if (batch_.size() == 1) return session_.step(id);
  return session_.prefill(batch_, [&](size_t, std::span<const float> logits, std::span<const float>) {
    rows_.insert(rows_.end(), logits.begin(), logits.end());
  });
}

}  // namespace assay
