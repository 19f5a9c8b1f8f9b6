#include "diagnose/tokens/diagnose_tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/load_error.h"
#include "diagnose/tokens/first_edit.h"
#include "diagnose/tokens/probes.h"

namespace assay {
namespace {

using Ids = std::span<const int32_t>;
using Hypotheses = std::vector<const TokenHypothesis*>;

constexpr const char* kAddBos = "tokenizer.ggml.add_bos_token";

bool gives(const TokenHypothesis& h, Ids observed) {
  return h.ids && std::equal(h.ids->begin(), h.ids->end(), observed.begin(), observed.end());
}

std::string names_of(const TokenHypothesis& h) {
  std::string names;
  for (const Fault* fault : h.faults) names.append(names.empty() ? "" : " with ").append(fault->id);
  return names.empty() ? "the healthy tokenizer" : names;
}

/// Faults that would not have changed these ids, though they change those of some probe: a text that is equal
/// does not clear the engine of them.
Hypotheses unseen_faults(std::span<const TokenHypothesis> all) {
  const TokenHypothesis& healthy = all.front();
  Hypotheses unseen;
  for (const TokenHypothesis& h : all.subspan(1)) {
    if (h.ids && *h.ids != *healthy.ids) continue;
    bool somewhere = false;
    for (size_t i = 0; i < h.probes.size(); ++i)
      somewhere = somewhere || (h.probes[i] && h.probes[i] != healthy.probes[i]);
    if (somewhere) unseen.push_back(&h);
  }
  return unseen;
}

/// The probe that most of the unseen faults would change.
size_t best_probe_for(const Hypotheses& unseen, const TokenHypothesis& healthy, size_t& n_shown) {
  size_t best = 0;
  n_shown = 0;
  for (size_t probe = 0; probe < healthy.probes.size(); ++probe) {
    const auto n = size_t(std::count_if(unseen.begin(), unseen.end(), [&](const TokenHypothesis* h) {
      return h->probes[probe] && h->probes[probe] != healthy.probes[probe];
    }));
    if (n <= n_shown) continue;
    n_shown = n;
    best = probe;
  }
  return best;
}

class Diagnosis {
 public:
  Diagnosis(const TokenQuestions& questions, Ids observed, std::vector<TokenHypothesis> singles)
      : questions_(questions),
        observed_(observed),
        singles_(std::move(singles)),
        expected_(*singles_.front().ids) {}

  Finding conclude(const OnHypothesis& on_hypothesis) {
    if (std::equal(expected_.begin(), expected_.end(), observed_.begin(), observed_.end())) return equal();
    edits_ = align(expected_, observed_);
    if (differs_in_open_bos()) return open_bos();
    describe_difference();
    Hypotheses exact = exact_singles();
    if (exact.empty()) {
      joined_ = joined_faults(questions_, singles_, observed_, on_hypothesis);
      for (const TokenHypothesis& h : joined_) exact.push_back(&h);
    }
    if (exact.empty()) return unknown();
    return named(exact);
  }

 private:
  const Tokenizer& tokenizer() const { return questions_.tokenizer; }

  /// A fault of the context explains any prefix or suffix, so it counts only where no other does.
  Hypotheses exact_singles() const {
    Hypotheses exact, cut;
    for (const TokenHypothesis& h : std::span(singles_).subspan(1))
      if (gives(h, observed_)) (h.cuts_to_context() ? cut : exact).push_back(&h);
    return exact.empty() ? cut : exact;
  }

  /// The file does not say whether BOS is added, and nothing else differs.
  bool differs_in_open_bos() const {
    const int32_t bos = tokenizer().vocabulary().special.bos;
    const bool always = tokenizer().vocabulary().kind == TokenizerKind::wordpiece;
    if (always || questions_.file.metadata().contains(kAddBos) || bos == kNoToken || edits_.size() != 1)
      return false;
    const IdEdit& e = edits_.front();
    if (e.n_changed() != 1 || e.a_begin != 0 || e.b_begin != 0) return false;
    return (e.a_end == 1 ? expected_[0] : observed_[0]) == bos;
  }

  Finding equal() {
    finding_.verdict = Finding::Verdict::no_fault;
    finding_.figures.push_back(
        fmt::format("all {} ids are equal: {}", expected_.size(), show_ids(tokenizer(), expected_)));
    return cleared();
  }

  Finding open_bos() {
    finding_.verdict = Finding::Verdict::no_fault;
    const bool engine_adds = edits_.front().a_end == 0;
    finding_.figures.push_back(fmt::format(
        "the ids differ in BOS alone, which the engine {}; the file does not say ({} is absent) and "
        "llama.cpp {}",
        engine_adds ? "adds" : "does not add", kAddBos, engine_adds ? "adds none here" : "adds it here"));
    return cleared();
  }

  /// What equal ids say and what they cannot say.
  Finding cleared() {
    if (questions_.source.chat.is_null() && questions_.source.text.empty()) {
      finding_.verdict = Finding::Verdict::not_enough_data;
      finding_.refusals.push_back("an empty prompt shows BOS and EOS, and nothing of the tokenizer");
    }
    const Hypotheses unseen = unseen_faults(singles_);
    finding_.figures.push_back(
        fmt::format("{} faults apply to this prompt and vocabulary; {} of them would have changed these ids",
                    n_of([](const TokenHypothesis& h) { return h.ids.has_value(); }),
                    n_of([&](const TokenHypothesis& h) { return h.ids && *h.ids != expected_; })));
    if (unseen.empty()) return finding_;
    constexpr size_t kMostNamed = 8;
    std::string names;
    for (size_t i = 0; i < std::min(unseen.size(), kMostNamed); ++i)
      names.append(i == 0 ? "" : ", ").append(unseen[i]->faults.front()->id);
    if (unseen.size() > kMostNamed) names += fmt::format(" and {} others", unseen.size() - kMostNamed);
    finding_.refusals.push_back(fmt::format(
        "that the engine is free of {} faults which this prompt cannot show: {}", unseen.size(), names));
    size_t n_shown = 0;
    const size_t probe = best_probe_for(unseen, singles_.front(), n_shown);
    finding_.next = fmt::format("compare {} as well: {} of them would show there",
                                shown(questions_.probes[probe]), n_shown);
    return finding_;
  }

  template <class Holds>
  size_t n_of(const Holds& holds) const {
    return size_t(std::count_if(singles_.begin() + 1, singles_.end(), holds));
  }

  void describe_difference() {
    const IdEdit& first = edits_.front();
    const Ids wanted = Ids(expected_).subspan(first.a_begin, first.a_end - first.a_begin),
              got = observed_.subspan(first.b_begin, first.b_end - first.b_begin);
    finding_.place = fmt::format("id {} of {}: {}", first.b_begin, observed_.size(),
                                 meaning_of(tokenizer(), edits_, expected_, observed_));
    finding_.figures.push_back(fmt::format("{} ids expected, {} observed; they differ in {} {}",
                                           expected_.size(), observed_.size(), edits_.size(),
                                           edits_.size() == 1 ? "place" : "places"));
    finding_.figures.push_back(fmt::format("at the first: {} expected, {} observed",
                                           show_ids(tokenizer(), wanted), show_ids(tokenizer(), got)));
    finding_.figures.push_back("in the text: " + show_context(tokenizer(), first, expected_, observed_));
    describe_ids();
  }

  /// What the observed ids say by themselves.
  void describe_ids() {
    const auto stranger = std::find_if(observed_.begin(), observed_.end(), [&](int32_t id) {
      return id < 0 || id >= tokenizer().vocabulary().n_tokens();
    });
    if (stranger != observed_.end()) {
      finding_.figures.push_back(fmt::format("id {} at {} is not in the vocabulary, which has {}", *stranger,
                                             stranger - observed_.begin(),
                                             tokenizer().vocabulary().n_tokens()));
      return;
    }
    const std::string text = text_of(tokenizer(), observed_), right = text_of(tokenizer(), expected_);
    finding_.figures.push_back(text == right
                                   ? "the observed ids stand for the right text: it is split otherwise"
                                   : fmt::format("the observed ids stand for \"{}\"", shown(text, 300)));
  }

  Finding unknown() {
    finding_.verdict = Finding::Verdict::unknown_fault;
    Hypotheses nearest;
    for (const TokenHypothesis& h : std::span(singles_).subspan(1))
      if (h.ids && !h.cuts_to_context()) nearest.push_back(&h);
    std::stable_sort(nearest.begin(), nearest.end(), [&](const TokenHypothesis* a, const TokenHypothesis* b) {
      return id_distance(*a->ids, observed_) < id_distance(*b->ids, observed_);
    });
    const double healthy = id_distance(expected_, observed_);
    finding_.figures.push_back(
        fmt::format("no fault of the list, and no two or three of them, gives these ids; {:.3g} of the ids "
                    "differ from the "
                    "right ones",
                    healthy));
    for (size_t i = 0; i < std::min<size_t>(nearest.size(), 3); ++i)
      if (const double distance = id_distance(*nearest[i]->ids, observed_); distance < healthy)
        finding_.figures.push_back(
            fmt::format("{} comes nearer: {:.3g} of the ids differ", names_of(*nearest[i]), distance));
    finding_.refusals.push_back(
        "a conclusion from weights, traces or logits of this prompt: equal ids come first");
    finding_.next = "make the ids equal at the first place, then compare again";
    return finding_;
  }

  Finding named(const Hypotheses& exact) {
    finding_.verdict = exact.size() == 1 ? Finding::Verdict::fault : Finding::Verdict::shortlist;
    for (const TokenHypothesis* h : exact) {
      Finding::Candidate candidate{
          h->faults.front(),
          1.0 / double(exact.size()),
          fmt::format("{}gives exactly these {} ids", h->faults.size() > 1 ? names_of(*h) + " " : "",
                      observed_.size()),
          {h->faults.begin() + 1, h->faults.end()}};
      finding_.candidates.push_back(std::move(candidate));
    }
    finding_.refusals.push_back(
        "a conclusion from weights, traces or logits of this prompt: equal ids come first");
    if (questions_.source.chat.is_null() && names_any(exact, "special-as-text"))
      finding_.refusals.push_back(
          "special-as-text is right for what a user typed, and wrong for a rendered prompt: --text is taken "
          "for the latter");
    if (exact.size() > 1)
      tell_apart(exact);
    else
      finding_.next =
          exact.front()->cuts_to_context()
              ? "see what context the engine was given, and send the prompt again with a larger one"
              : "mend it, then compare again: a second fault may hide behind the first";
    return finding_;
  }

  static bool names_any(const Hypotheses& exact, std::string_view id) {
    return std::any_of(exact.begin(), exact.end(), [&](const TokenHypothesis* h) {
      return std::any_of(h->faults.begin(), h->faults.end(),
                         [&](const Fault* fault) { return fault->id == id; });
    });
  }

  void tell_apart(const Hypotheses& exact) {
    const std::optional<size_t> probe = most_telling_probe(exact);
    if (!probe) {
      finding_.next = "nothing known tells them apart on this vocabulary: each mend is the same mend here";
      return;
    }
    finding_.next = fmt::format("compare {}, where they differ:", shown(questions_.probes[*probe]));
    for (const TokenHypothesis* h : exact)
      finding_.next += fmt::format(
          " {} gives {};", names_of(*h),
          h->probes[*probe] ? fmt::to_string(fmt::join(*h->probes[*probe], ",")) : "what is right");
    finding_.next.back() = '.';
  }

  const TokenQuestions& questions_;
  Ids observed_;
  std::vector<TokenHypothesis> singles_, joined_;
  const std::vector<int32_t> expected_;
  std::vector<IdEdit> edits_;
  Finding finding_;
};

}  // namespace

std::vector<PromptSource> probes_of(const GgufFile& file, const Tokenizer& tokenizer, bool conversations) {
  if (!conversations) return probe_texts(tokenizer);
  std::vector<PromptSource> taken;
  for (PromptSource& talk : probe_conversations()) try {
      write_prompt(file, tokenizer, talk);
      taken.push_back(std::move(talk));
    } catch (const UsageError&) {
      // This template has no system role, or asks for something that probes have not.
    }
  return taken;
}

Finding diagnose_tokens(const GgufFile& file, const Tokenizer& tokenizer, const PromptSource& source,
                        Ids observed, const OnHypothesis& on_hypothesis, const Fault* hidden) {
  const TokenQuestions questions{
      file, tokenizer, source, probes_of(file, tokenizer, !source.chat.is_null()), hidden, observed.size()};
  std::vector<TokenHypothesis> singles = single_faults(questions, on_hypothesis);
  return Diagnosis(questions, observed, std::move(singles)).conclude(on_hypothesis);
}

}  // namespace assay
