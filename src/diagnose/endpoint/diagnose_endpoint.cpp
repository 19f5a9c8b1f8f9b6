#include "diagnose/endpoint/diagnose_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/load_error.h"
#include "diagnose/endpoint/row_match.h"
#include "diagnose/faults/faulty_engine.h"
#include "diagnose/logit_diagnosis.h"
#include "diagnose/tokens/diagnose_tokens.h"
#include "diagnose/tokens/faulty_tokenizer.h"
#include "diagnose/tokens/probes.h"
#include "runtime/session.h"

namespace assay {
namespace {

using Ids = std::vector<int32_t>;
using Verdict = Finding::Verdict;

constexpr size_t kFirstPrompts = 4, kMostPrompts = 8, kMostPromptIds = 256;
constexpr double kBoundFactor = 16, kLeastBound = 1e-3;
constexpr double kKnownShare = 0.5;  // of the reported probability, below which the vocabularies are not one

/// One prompt that was sent.
struct Asked {
  size_t probe;
  ReportedRow row;
  double bound;  // of KL
};

/// Hypotheses with the same ids on everything that was sent explain it equally.
struct Explanation {
  const TokenHypothesis* hypothesis;
  size_t n_explained = 0;  // prompts, up to the first that it does not explain
  double worst_ratio = 0;  // KL over bound, over these and that one
  double total_kl = 0;

  bool operator<(const Explanation& other) const {
    return n_explained != other.n_explained ? n_explained > other.n_explained
                                            : worst_ratio < other.worst_ratio;
  }
};

using Ask = ReportedRow (*)(Endpoint& endpoint, const PromptSource& source);
ReportedRow ask_text(Endpoint& endpoint, const PromptSource& source) {
  return endpoint.complete(source.text);
}
ReportedRow ask_chat(Endpoint& endpoint, const PromptSource& source) {
  return endpoint.chat(source.chat["messages"]);
}

class EndpointDiagnosis {
 public:
  EndpointDiagnosis(const EndpointQuestion& q, std::vector<PromptSource> probes, Ask ask)
      : q_(q), ask_(ask), match_(q.tokenizer), exact_(q.model, q.pool), probes_(std::move(probes)) {}

  Finding run() {
    const TokenQuestions questions{q_.model.file(), q_.tokenizer, {"", nullptr}, probes_};
    hypotheses_ = single_faults(questions, [&](size_t n_done, size_t n_all) {
      q_.doing(fmt::format("preparing fault {} of {}", n_done, n_all));
    });
    // Only what changes a prompt's ids can be told from the right tokenizer.
    std::erase_if(hypotheses_, [&](const TokenHypothesis& h) {
      return &h != &hypotheses_.front() && (h.cuts_to_context() || h.probes == hypotheses_.front().probes);
    });
    if (ask_ == ask_text)
      if (std::optional<Finding> finding = from_tokenizer()) return *finding;
    while (asked_.size() < kFirstPrompts)
      if (!ask_next(all_hypotheses())) break;
    std::vector<Explanation> explanations = explain();
    while (explanations.size() > 1 && asked_.size() < kMostPrompts) {
      std::vector<const TokenHypothesis*> left;
      for (const Explanation& e : explanations) left.push_back(e.hypothesis);
      if (!ask_next(left)) break;
      explanations = explain();
    }
    return conclude(explanations);
  }

 private:
  const TokenHypothesis& healthy() const { return hypotheses_.front(); }

  std::vector<const TokenHypothesis*> all_hypotheses() const {
    std::vector<const TokenHypothesis*> all;
    for (const TokenHypothesis& h : hypotheses_) all.push_back(&h);
    return all;
  }

  /// Where the engine shows its ids, they say more than probabilities do.
  std::optional<Finding> from_tokenizer() {
    for (size_t probe = 0; probe < probes_.size(); ++probe) {
      q_.doing("asking /tokenize");
      const auto ids = q_.endpoint.tokenize(probes_[probe].text);
      if (!ids) return std::nullopt;
      ++n_tokenized_;
      if (*ids == *healthy().probes[probe]) continue;
      Finding finding =
          diagnose_tokens(q_.model.file(), q_.tokenizer, probes_[probe], *ids,
                          [&](size_t n, size_t n_all) { q_.doing(fmt::format("fault {} of {}", n, n_all)); });
      if (finding.verdict == Verdict::no_fault || finding.verdict == Verdict::not_enough_data) continue;
      finding.place = fmt::format("/tokenize of {}, {}", shown(probes_[probe]), finding.place);
      return finding;
    }
    return std::nullopt;
  }

  /// Sends the prompt on which `between` give the most different ids, given what the prompts before told
  /// apart already.
  bool ask_next(const std::vector<const TokenHypothesis*>& between) {
    std::optional<size_t> best;
    size_t most = n_groups(between, std::nullopt);
    for (size_t probe = 0; probe < probes_.size(); ++probe) {
      if (was_asked(probe) || !fits(probe)) continue;
      const size_t n = n_groups(between, probe);
      if (n > most) most = n, best = probe;
    }
    if (!best) return false;
    q_.doing(fmt::format("asking prompt {}", asked_.size() + 1));
    const ReportedRow row = ask_(q_.endpoint, probes_[*best]);
    if (match_.known_share(row) < kKnownShare)
      throw UsageError(
          "the endpoint's tokens are not those of this file's vocabulary: it runs another model");
    const Ids& ids = *healthy().probes[*best];
    const ReportedRow rounded = match_.report(fast_logits(ids), row.size());
    const double bound = std::max(kLeastBound, kBoundFactor * match_.divergence(rounded, logits(ids)));
    asked_.push_back({*best, row, bound});
    std::stable_sort(asked_.begin(), asked_.end(), [&](const Asked& a, const Asked& b) {
      return healthy().probes[a.probe]->size() <
             healthy().probes[b.probe]->size();  // the cheapest is judged first
    });
    return true;
  }

  bool was_asked(size_t probe) const {
    return std::any_of(asked_.begin(), asked_.end(), [&](const Asked& a) { return a.probe == probe; });
  }
  bool fits(size_t probe) const {
    const auto& ids = healthy().probes[probe];
    return ids && !ids->empty() && ids->size() <= std::min(kMostPromptIds, q_.model.max_context());
  }

  /// Groups of hypotheses that the prompts sent, and `one_more`, leave together.
  size_t n_groups(const std::vector<const TokenHypothesis*>& between, std::optional<size_t> one_more) const {
    std::set<std::vector<TokenHypothesis::Ids>> groups;
    for (const TokenHypothesis* h : between) {
      std::vector<TokenHypothesis::Ids> all;
      for (const Asked& a : asked_) all.push_back(h->probes[a.probe]);
      if (one_more) all.push_back(h->probes[*one_more]);
      groups.insert(std::move(all));
    }
    return groups.size();
  }

  /// The last row of the exact logits of `ids`.
  const std::vector<float>& logits(const Ids& ids) {
    const auto [place, fresh] = logits_.try_emplace(ids);
    if (fresh) {
      q_.doing(fmt::format("computing {} tokens exactly ({} prompts so far)", ids.size(), logits_.size()));
      place->second = last_row(exact_.logits(ids, KvType::f32));
    }
    return place->second;
  }
  std::vector<float> last_row(const std::vector<float>& all) const {
    return {all.end() - ptrdiff_t(q_.model.hparams().vocab_size), all.end()};
  }
  std::vector<float> fast_logits(const Ids& ids) const {
    Session session(q_.model, q_.fast, {.n_ctx = ids.size(), .n_batch = ids.size(), .kv_type = KvType::f16});
    session.prefill(ids);
    return {session.logits().begin(), session.logits().end()};
  }

  bool runs(const Ids& ids) const {
    return !ids.empty() && ids.size() <= 2 * kMostPromptIds && ids.size() <= q_.model.max_context() &&
           std::all_of(ids.begin(), ids.end(),
                       [&](int32_t id) { return id >= 0 && size_t(id) < q_.model.hparams().vocab_size; });
  }

  Explanation judge(const TokenHypothesis& h) {
    Explanation e{&h};
    for (const Asked& a : asked_) {
      const auto& ids = h.probes[a.probe];
      // What the fault leaves alone is explained as well as the right ids explain it.
      const double kl =
          match_.divergence(a.row, ids && runs(*ids) ? logits(*ids) : logits(*healthy().probes[a.probe]));
      e.worst_ratio = std::max(e.worst_ratio, kl / a.bound);
      e.total_kl += kl;
      if (kl > a.bound) break;
      ++e.n_explained;
    }
    return e;
  }

  /// The hypotheses that explain every row, best first; the healthy one alone when it does: a fault that
  /// these prompts do not show is not accused.
  std::vector<Explanation> explain() {
    std::vector<Explanation> good;
    judged_.clear();
    for (const TokenHypothesis& h : hypotheses_) {
      judged_.push_back(judge(h));
      if (judged_.back().worst_ratio <= 1) good.push_back(judged_.back());
      if (&h == &healthy() && !good.empty()) return good;
    }
    std::stable_sort(good.begin(), good.end());
    return good;
  }

  Finding conclude(const std::vector<Explanation>& explanations) {
    Finding f;
    f.figures.push_back(fmt::format("{} prompts sent to {}{}", asked_.size(),
                                    ask_ == ask_chat ? "/v1/chat/completions" : q_.endpoint.completion_path(),
                                    n_tokenized_ > 0 ? fmt::format(", {} to /tokenize", n_tokenized_) : ""));
    for (const Asked& a : asked_) {
      const double kl = match_.divergence(a.row, logits(*healthy().probes[a.probe]));
      f.figures.push_back(
          fmt::format("after {} most likely \"{}\": KL from the right model {:.3g}, bound {:.3g}",
                      shown(probes_[a.probe]), shown(top_of(a.row), 40), kl, a.bound));
    }
    f.refusals.push_back("a conclusion on positions beyond these prompts' lengths, on sampling or on speed");
    if (explanations.size() == 1 && explanations[0].hypothesis == &healthy()) {
      f.verdict = Verdict::no_fault;
      f.next = "nothing; faults that only long prompts show need --logits or --trace";
      return f;
    }
    if (!explanations.empty()) return name_tokens(std::move(f), explanations);
    return computation(std::move(f));
  }

  std::string top_of(const ReportedRow& row) const {
    const auto top = std::max_element(
        row.begin(), row.end(),
        [](const ReportedToken& a, const ReportedToken& b) { return a.logprob < b.logprob; });
    return top->text;
  }

  Finding name_tokens(Finding f, const std::vector<Explanation>& explanations) {
    f.verdict = explanations.size() == 1 ? Verdict::fault : Verdict::shortlist;
    f.place = "the ids that the engine runs for a prompt";
    for (const Explanation& e : explanations)
      f.candidates.push_back(
          {e.hypothesis->faults.front(), 1.0 / double(explanations.size()),
           fmt::format("with its ids the model gives the reported probabilities: KL {:.3g} on average, at "
                       "most {:.3g} of what rounding may cost",
                       e.total_kl / double(asked_.size()), e.worst_ratio)});
    f.next = "compare the engine's own token ids: assay diagnose --tokens IDS --text PROMPT";
    return f;
  }

  /// No ids explain it: the faults of computation and weights, on the right ids.
  Finding computation(Finding f) {
    std::vector<ObservedRun> runs;
    for (const Asked& a : asked_) {
      const Ids& ids = *healthy().probes[a.probe];
      ObservedRow row = match_.observed(a.row, ids.size() - 1);
      if (row.ids.size() > 1) runs.push_back({ids, {std::move(row)}});
    }
    LogitDiagnosisOptions options;
    options.progress = [&](size_t n_done, size_t n_all) {
      q_.doing(fmt::format("trying fault {} of {}", n_done, n_all));
      return true;
    };
    Finding found = diagnose_logits(q_.model, q_.pool, runs, options);
    f.candidates = std::move(found.candidates);
    f.figures.insert(f.figures.end(), found.figures.begin(), found.figures.end());
    f.refusals.insert(f.refusals.end(), found.refusals.begin(), found.refusals.end());
    f.verdict = f.candidates.empty() ? Verdict::unknown_fault : found.verdict;
    f.place = "the computation, or a prompt that no known fault makes";
    f.next = f.verdict == Verdict::fault
                 ? "confirm it with --trace"
                 : "compare the engine's token ids (--tokens), then a trace (--trace)";
    if (f.candidates.empty()) name_nearest_ids(f);
    return f;
  }

  void name_nearest_ids(Finding& f) {
    std::stable_sort(judged_.begin(), judged_.end());
    if (!judged_.empty() && !judged_[0].hypothesis->faults.empty())
      f.figures.push_back(fmt::format("nearest of tokens and prompts: {}, which explains {} of {} prompts",
                                      judged_[0].hypothesis->faults.front()->id, judged_[0].n_explained,
                                      asked_.size()));
  }

  const EndpointQuestion& q_;
  Ask ask_;
  RowMatch match_;
  FaultyEngine exact_;
  std::vector<TokenHypothesis> hypotheses_;
  std::vector<PromptSource> probes_;
  std::vector<Asked> asked_;
  std::vector<Explanation> judged_;
  std::map<Ids, std::vector<float>> logits_;
  size_t n_tokenized_ = 0;
};

}  // namespace

Finding diagnose_endpoint(const EndpointQuestion& q) {
  Finding finding = EndpointDiagnosis(q, probe_texts(q.tokenizer), ask_text).run();
  if (finding.verdict != Verdict::no_fault || !q.model.file().metadata().contains("tokenizer.chat_template"))
    return finding;
  try {
    Finding chat = EndpointDiagnosis(q, probes_of(q.model.file(), q.tokenizer, true), ask_chat).run();
    chat.figures.insert(chat.figures.begin(), finding.figures.begin(), finding.figures.end());
    return chat;
  } catch (const UsageError& error) {
    finding.refusals.push_back(fmt::format("that the chat template is right: {}", error.what()));
    return finding;
  }
}

}  // namespace assay
