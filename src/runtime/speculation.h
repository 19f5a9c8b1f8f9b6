// Speculative decoding: guesses of the next tokens are checked in one forward pass. Because logits do not
// depend on how many tokens a pass has, the text is the same, token for token, as without.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "runtime/loaded_model.h"
#include "runtime/session.h"

namespace assay {

/// Guesses what comes next. What it guesses changes the speed, never the text.
class Drafter {
 public:
  virtual ~Drafter() = default;
  /// Appends up to `n_most` tokens that may follow `ids` to `draft`.
  virtual void propose(std::span<const int32_t> ids, size_t n_most, std::vector<int32_t>& draft) = 0;
};

/// Guesses that the text repeats itself: what followed the latest earlier occurrence of its last tokens, the
/// longest run of kLongest..1 of them that occurs.
class PromptLookup final : public Drafter {
 public:
  void propose(std::span<const int32_t> ids, size_t n_most, std::vector<int32_t>& draft) override;

 private:
  static constexpr size_t kLongest = 4;
};

/// The greedy text of a smaller model with the same vocabulary.
class DraftModel final : public Drafter {
 public:
  /// `draft` outlives it. Throws UsageError when the vocabularies differ, and as Session.
  DraftModel(LoadedModel& draft, const Tokenizer& target, const SessionOptions& options);
  void propose(std::span<const int32_t> ids, size_t n_most, std::vector<int32_t>& draft) override;

 private:
  Session session_;
  size_t n_tokens_;  // of the vocabulary
};

/// Extends a session by tokens that are chosen one at a time, and computes ahead of the choice where a
/// drafter guesses it. Rewinds the session to what was chosen when it goes away.
class LookAhead {
 public:
  /// All of it outlives this object. `drafter` null: nothing is guessed. At most `n_draft` tokens are
  /// computed ahead.
  LookAhead(Session& session, Drafter* drafter, size_t n_draft);
  ~LookAhead() { session_.truncate(n_chosen_); }
  LookAhead(const LookAhead&) = delete;
  LookAhead& operator=(const LookAhead&) = delete;

  /// Logits after the last chosen token (vocab_size); valid until choose().
  std::span<const float> logits() const;
  /// Appends the chosen token: free when it was guessed, else a forward pass. Nothing is appended when the
  /// context is full.
  Status choose(int32_t id);

  size_t n_passes() const { return n_passes_; }
  size_t n_drafted() const { return n_drafted_; }
  size_t n_accepted() const { return n_accepted_; }

 private:
  Session& session_;
  Drafter* drafter_;
  size_t n_draft_;
  size_t n_chosen_;             // tokens of the session that were chosen; what lies behind them was guessed
  std::vector<int32_t> batch_;  // of the last pass: a chosen token, then guesses
  size_t at_ = 0;               // the last chosen one of them
  std::vector<float> rows_;     // logits after each of them; empty when the session has the only row
  size_t n_passes_ = 0, n_drafted_ = 0, n_accepted_ = 0;
};

}  // namespace assay
