#include "diagnose/logit_diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/load_error.h"
#include "diagnose/faults/faulty_engine.h"
#include "runtime/backend.h"
#include "runtime/session.h"

namespace assay {
namespace {

constexpr double kFloor = 1e-6;    // of f32 logits, relative
constexpr double kExplained = 30;  // times kFloor: nothing but f32 arithmetic is left
constexpr size_t kProbe = 4;       // ids that rule out most faults

/// What rounding the dump leaves of an error at most: its numbers' size over their spread.
double rounding_error(const ObservedRow& row) {
  double mean = 0, norm = 0, spread = 0;
  for (const double x : row.values) mean += x / double(row.values.size());
  for (const double x : row.values) norm += x * x, spread += (x - mean) * (x - mean);
  return std::isfinite(norm) ? row.rounding * std::sqrt(norm / std::max(spread, 1e-30)) : 0;
}

/// theirs - ours over the spread of ours, both less their means when only differences count. Numbers that are
/// not finite on both sides count as equal, on one side as a thousandfold error.
double relative_error(const ObservedRow& theirs, std::span<const float> ours) {
  std::vector<std::pair<double, double>> finite;  // theirs, ours
  for (size_t j = 0; j < theirs.values.size(); ++j) {
    const double a = theirs.values[j], b = double(ours[theirs.ids.empty() ? j : size_t(theirs.ids[j])]);
    if (std::isfinite(a) != std::isfinite(b)) return 1e3;
    if (std::isfinite(a)) finite.emplace_back(a, b);
  }
  double our_mean = 0, shift = 0;
  for (const auto& [a, b] : finite)
    our_mean += b / double(finite.size()), shift += (a - b) / double(finite.size());
  double error = 0, spread = 0;
  for (const auto& [a, b] : finite) {
    error += std::pow(a - b - (theirs.up_to_constant ? shift : 0), 2);
    spread += std::pow(b - our_mean, 2);
  }
  return std::sqrt(error / std::max(spread, 1e-30));
}

std::vector<float> cpu_logits(const Model& model, ThreadPool& pool, std::span<const int32_t> ids) {
  const std::unique_ptr<Ops> ops = need_backend("cpu").make({pool, {}});
  ops->load(model.product_weights(), {});
  std::vector<float> all;
  Session session(
      model, *ops,
      {.n_ctx = ids.size(), .n_batch = ids.size(), .n_logit_rows = ids.size(), .kv_type = KvType::f16});
  session.prefill(ids, [&](size_t, std::span<const float> logits, std::span<const float>) {
    all.insert(all.end(), logits.begin(), logits.end());
  });
  return all;
}

class Diagnosis {
 public:
  Diagnosis(const Model& model, ThreadPool& pool, std::span<const int32_t> ids,
            std::span<const ObservedRow> rows, const LogitDiagnosisOptions& options)
      : model_(model), pool_(pool), ids_(ids), rows_(rows), options_(options) {
    check();
  }

  Finding run() {
    refuse();
    if (finding_.verdict == Finding::Verdict::not_enough_data && !finding_.next.empty()) return finding_;
    FaultyEngine engine(model_, pool_);
    const std::vector<float> exact = engine.logits(ids_, KvType::f32);
    measure_noise(exact);
    healthy_ = errors(exact);
    for (const ObservedRow& row : rows_) rounding_.push_back(rounding_error(row));
    const size_t worst = size_t(std::ranges::max_element(healthy_) - healthy_.begin());
    finding_.figures.push_back(fmt::format(
        "{} rows; worst at position {}: relative error {:.2g} where healthy engines differ by {:.2g}",
        rows_.size(), rows_[worst].position, healthy_[worst], noise_[worst]));
    bool exact_arithmetic = true;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const double noise = kNoiseMargin * noise_[i] + rounding_[i];
      const double explained = kExplained * kFloor + rounding_[i];
      limit_.push_back(noise);
      within_ &= healthy_[i] <= noise;
      exact_arithmetic &= healthy_[i] <= explained;
    }
    if (exact_arithmetic) return no_fault();
    if (within_)
      for (size_t i = 0; i < rows_.size(); ++i) limit_[i] = kExplained * kFloor + rounding_[i];
    judge();
    return finding_;
  }

 private:
  struct Trial {
    const Fault* fault;
    double log_likelihood = 0;
    double worst = 0;  // error of a row over its limit
  };

  size_t n_vocab() const { return model_.hparams().vocab_size; }

  void check() const {
    if (rows_.empty()) throw UsageError("no logits to judge");
    for (const ObservedRow& row : rows_) {
      if (row.position >= ids_.size())
        throw UsageError(fmt::format("logits of position {}, but {} ids", row.position, ids_.size()));
      if (row.values.size() != (row.ids.empty() ? n_vocab() : row.ids.size()))
        throw UsageError(
            fmt::format("{} logits in a row; the model's vocabulary has {}", row.values.size(), n_vocab()));
      for (const int32_t id : row.ids)
        if (id < 0 || size_t(id) >= n_vocab())
          throw UsageError(fmt::format("token {} is not in the vocabulary", id));
    }
  }

  void refuse() {
    size_t n_values = 0;
    for (const ObservedRow& row : rows_) n_values = std::max(n_values, row.values.size());
    if (n_values < 2) {
      finding_.refusals.push_back(
          "anything: one top token a position is what many faults and no fault have in common");
      finding_.next = "give whole rows of logits, or the log-probabilities of 5 tokens or more";
    }
    if (ids_.size() < 2)
      finding_.refusals.push_back(
          "nothing about RoPE, masks and positions: with one token they change nothing; 24 varied tokens "
          "would do");
    else if (ids_.size() < 12)
      finding_.refusals.push_back(
          "little about windows, caches and slow rotations: they need 24 varied tokens or more");
  }

  std::vector<double> errors(std::span<const float> logits) const {
    std::vector<double> list;
    for (const ObservedRow& row : rows_)
      list.push_back(relative_error(row, logits.subspan(row.position * n_vocab(), n_vocab())));
    return list;
  }

  void measure_noise(std::span<const float> exact) {
    const std::vector<float> rounded = cpu_logits(model_, pool_, ids_);
    double sum = 0;
    for (const ObservedRow& row : rows_) {
      ObservedRow same{row.position, row.ids, {}, row.up_to_constant};
      const std::span<const float> all = std::span(rounded).subspan(row.position * n_vocab(), n_vocab());
      for (size_t j = 0; j < row.values.size(); ++j)
        same.values.push_back(double(all[row.ids.empty() ? j : size_t(row.ids[j])]));
      noise_.push_back(relative_error(same, exact.subspan(row.position * n_vocab(), n_vocab())));
      sum += noise_.back() * noise_.back();
    }
    // One row's noise is a single draw: no row is quieter than the average.
    const double mean = std::sqrt(sum / double(noise_.size()));
    for (double& e : noise_) e = std::max({e, mean, 1e-5});
  }

  /// What was seen of the first positions, if `fault` made it.
  Trial weigh(const Fault& fault, std::span<const float> logits, size_t n_positions) const {
    Trial trial{&fault};
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].position >= n_positions) continue;
      const double e = relative_error(rows_[i], logits.subspan(rows_[i].position * n_vocab(), n_vocab()));
      trial.worst = std::max(trial.worst, e / limit_[i]);
      const double floor = kFloor + rounding_[i];
      trial.log_likelihood += std::log((healthy_[i] + floor) / (e + floor));
    }
    return trial;
  }

  /// Nullopt when the fault touches nothing of the model. A fault that the first rows rule out is weighed by
  /// them alone: right as long as later ids do not change earlier rows, which some faults do.
  std::optional<Trial> attempt(const Fault& fault) const {
    FaultyEngine engine(model_, pool_, std::array{&fault});
    if (!engine.applies()) return std::nullopt;
    if (ids_.size() > 2 * kProbe && rows_.front().position < kProbe) {
      const std::vector<float> few = engine.logits(ids_.first(kProbe), KvType::f32);
      if (const Trial trial = weigh(fault, few, kProbe); trial.worst > 1) {
        const std::vector<float> fewer = engine.logits(ids_.first(kProbe - 1), KvType::f32);
        if (std::memcmp(fewer.data(), few.data(), fewer.size() * sizeof(float)) == 0) return trial;
      }
    }
    return weigh(fault, engine.logits(ids_, KvType::f32), ids_.size());
  }

  void judge() {
    std::vector<const Fault*> suspects;
    for (const Fault* fault : faults())
      if (fault != options_.hidden && !std::holds_alternative<TokensFault>(fault->injection) &&
          !std::holds_alternative<PromptFault>(fault->injection))
        suspects.push_back(fault);
    std::vector<Trial> trials;
    for (size_t i = 0; i < suspects.size(); ++i) {
      if (const std::optional<Trial> trial = attempt(*suspects[i])) trials.push_back(*trial);
      if (options_.progress && !options_.progress(i + 1, suspects.size())) break;
    }
    std::vector<Trial> explaining = trials;
    std::erase_if(explaining,
                  [&](const Trial& t) { return t.worst > 1 || (within_ && t.log_likelihood < 20); });
    std::ranges::stable_sort(explaining, std::greater{}, &Trial::log_likelihood);
    if (!explaining.empty()) return conclude(explaining);
    if (within_) return void(no_fault());
    finding_.verdict = Finding::Verdict::unknown_fault;
    finding_.place = where();
    if (!trials.empty()) {
      const Trial& nearest = *std::ranges::min_element(trials, {}, &Trial::worst);
      finding_.figures.push_back(fmt::format("nearest is {}, which leaves {:.1f} times what noise may be",
                                             nearest.fault->id, nearest.worst));
    }
    finding_.refusals.push_back(
        "a verdict on one block type: the same prompt on files of other types would show whether the "
        "symptom follows the type");
    finding_.next = "dump intermediates for the same ids and use --trace";
  }

  /// Which rows are wrong, as far as that says anything.
  std::string where() const {
    size_t first = rows_.size();
    for (size_t i = rows_.size(); i-- > 0;)
      if (healthy_[i] > limit_[i]) first = i;
    return fmt::format("logits, from position {} on", rows_[std::min(first, rows_.size() - 1)].position);
  }

  Finding& no_fault() {
    finding_.verdict = Finding::Verdict::no_fault;
    finding_.next = "nothing to mend in what these ids reach";
    return finding_;
  }

  void conclude(const std::vector<Trial>& explaining) {
    const double best = explaining.front().log_likelihood;
    double unknown = 0;  // errors at the edge of the noise
    for (size_t i = 0; i < healthy_.size() && !within_; ++i)
      unknown += std::max(0.0, std::log((healthy_[i] + kFloor) / (limit_[i] + kFloor)));
    double total = std::exp(std::min(unknown - best, 0.0));
    for (const Trial& t : explaining) total += std::exp(t.log_likelihood - best);
    for (const Trial& t : explaining) {
      if (t.log_likelihood < best - std::log(20.0)) break;
      finding_.candidates.push_back(
          {t.fault, std::exp(t.log_likelihood - best) / total,
           fmt::format("with it every row's error is at most {:.2g} of what {}, log-likelihood ratio {:.0f} "
                       "against a healthy engine",
                       t.worst, within_ ? "f32 leaves" : "noise may be", t.log_likelihood)});
    }
    finding_.place = where();
    const bool alone = finding_.candidates.size() == 1;
    finding_.verdict = alone ? Finding::Verdict::fault : Finding::Verdict::shortlist;
    finding_.next =
        alone ? "mend it and compare again" : "dump intermediates for the same ids: --trace tells them apart";
  }

  const Model& model_;
  ThreadPool& pool_;
  std::span<const int32_t> ids_;
  std::span<const ObservedRow> rows_;
  const LogitDiagnosisOptions& options_;
  // Of each row: relative errors.
  std::vector<double> noise_, healthy_, rounding_;
  std::vector<double> limit_;  // a fault that leaves more does not explain the row
  bool within_ = true;         // a healthy engine's noise
  Finding finding_;
};

}  // namespace

Finding diagnose_logits(const Model& model, ThreadPool& pool, std::span<const int32_t> ids,
                        std::span<const ObservedRow> rows, const LogitDiagnosisOptions& options) {
  return Diagnosis(model, pool, ids, rows, options).run();
}

}  // namespace assay
