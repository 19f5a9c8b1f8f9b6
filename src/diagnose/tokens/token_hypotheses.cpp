#include "diagnose/tokens/token_hypotheses.h"

#include <algorithm>
#include <set>

#include "diagnose/tokens/alignment.h"
#include "diagnose/tokens/faulty_tokenizer.h"

namespace assay {
namespace {

constexpr size_t kMostJoined = 10, kMostPairs = 6;  // what is joined with what: a few dozen tokenizers

/// Sets that grow by one fault.
struct Grown {
  std::vector<const Fault*> faults;
  double distance;  // of its ids from the observed ones
};

}  // namespace

bool TokenHypothesis::cuts_to_context() const {
  return std::any_of(faults.begin(), faults.end(), [](const Fault* fault) {
    const auto* tokens = std::get_if<TokensFault>(&fault->injection);
    return tokens && tokens->cuts_to_context;
  });
}

std::optional<TokenHypothesis> TokenQuestions::ask(std::span<const Fault* const> faults) const {
  const FaultyTokenizer engine(file, tokenizer, faults);
  if (!engine.applies()) return std::nullopt;
  TokenHypothesis h{{faults.begin(), faults.end()}, engine.encode(source, n_context), {}};
  for (const PromptSource& probe : probes) h.probes.push_back(engine.encode(probe));
  return h;
}

std::vector<TokenHypothesis> single_faults(const TokenQuestions& questions,
                                           const OnHypothesis& on_hypothesis) {
  std::vector<TokenHypothesis> all{*questions.ask({})};
  for (size_t i = 0; i < faults().size(); ++i) {
    const Fault* fault = faults()[i];
    if (!changes_ids(*fault) || fault == questions.hidden) continue;
    on_hypothesis(i, faults().size());
    if (std::optional<TokenHypothesis> h = questions.ask({&fault, 1})) all.push_back(std::move(*h));
  }
  return all;
}

std::vector<TokenHypothesis> joined_faults(const TokenQuestions& questions,
                                           std::span<const TokenHypothesis> singles,
                                           std::span<const int32_t> observed,
                                           const OnHypothesis& on_hypothesis) {
  const double healthy = id_distance(*singles.front().ids, observed);
  std::vector<Grown> nearer;
  for (const TokenHypothesis& single : singles.subspan(1)) {
    if (!single.ids || single.cuts_to_context()) continue;
    const double distance = id_distance(*single.ids, observed);
    if (distance < healthy) nearer.push_back({single.faults, distance});
  }
  const auto by_distance = [](const Grown& a, const Grown& b) { return a.distance < b.distance; };
  std::stable_sort(nearer.begin(), nearer.end(), by_distance);
  if (nearer.size() > kMostJoined) nearer.resize(kMostJoined);

  std::vector<Grown> sets = nearer;
  for (int n_faults = 2; n_faults <= 3; ++n_faults) {
    std::vector<TokenHypothesis> exact;
    std::vector<Grown> next;
    std::set<std::set<const Fault*>> seen;
    for (const Grown& set : sets)
      for (const Grown& other : nearer) {
        std::vector<const Fault*> faults = set.faults;
        faults.push_back(other.faults.front());
        const std::set<const Fault*> members(faults.begin(), faults.end());
        if (members.size() < faults.size() || !seen.insert(members).second) continue;
        on_hypothesis(seen.size(), sets.size() * nearer.size());
        std::optional<TokenHypothesis> joined = questions.ask(faults);
        if (!joined || !joined->ids) continue;
        const double distance = id_distance(*joined->ids, observed);
        if (distance == 0)
          exact.push_back(std::move(*joined));
        else if (distance < set.distance && distance < other.distance)
          next.push_back({std::move(faults), distance});
      }
    if (!exact.empty() || next.empty()) return exact;
    std::stable_sort(next.begin(), next.end(), by_distance);
    if (next.size() > kMostPairs) next.resize(kMostPairs);
    sets = std::move(next);
  }
  return {};
}

std::optional<size_t> most_telling_probe(std::span<const TokenHypothesis* const> hypotheses) {
  std::optional<size_t> best;
  size_t most = 1;
  for (size_t probe = 0; !hypotheses.empty() && probe < hypotheses.front()->probes.size(); ++probe) {
    std::set<std::vector<int32_t>> different;
    for (const TokenHypothesis* h : hypotheses)
      if (h->probes[probe]) different.insert(*h->probes[probe]);
    if (different.size() <= most) continue;
    most = different.size();
    best = probe;
  }
  return best;
}

}  // namespace assay
