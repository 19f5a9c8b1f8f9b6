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
  Diagnosis(const Model& model, ThreadPool& pool, std::span<const ObservedRun> runs,
            const LogitDiagnosisOptions& options)
      : model_(model), pool_(pool), runs_(runs), options_(options) {
    for (const ObservedRun& run : runs_)
      for (const ObservedRow& row : run.rows) {
        check(run, row);
        rows_.push_back({run, row, 0, 0, rounding_error(row), 0});
      }
    if (rows_.empty()) throw UsageError("no logits to judge");
  }

  Finding run() {
    refuse();
    if (finding_.verdict == Finding::Verdict::not_enough_data && !finding_.next.empty()) return finding_;
    measure();
    const Row& worst = *std::ranges::max_element(rows_, {}, &Row::healthy);
    finding_.figures.push_back(
        fmt::format("{} rows; worst at {}: relative error {:.2g} where healthy engines differ by {:.2g}",
                    rows_.size(), place_of(worst), worst.healthy, worst.noise));
    bool exact_arithmetic = true;
    for (Row& row : rows_) {
      row.limit = kNoiseMargin * row.noise + row.rounding;
      within_ &= row.healthy <= row.limit;
      exact_arithmetic &= row.healthy <= row.explained();
    }
    if (exact_arithmetic) return no_fault();
    if (within_)
      for (Row& row : rows_) row.limit = row.explained();
    judge();
    return finding_;
  }

 private:
  /// A row beside the model; numbers are relative errors.
  struct Row {
    const ObservedRun& run;
    const ObservedRow& seen;
    double noise;     // of a healthy engine
    double healthy;   // from the model without a fault
    double rounding;  // of the dump
    double limit;     // a fault that leaves more does not explain the row

    double explained() const { return kExplained * kFloor + rounding; }
  };
  struct Trial {
    const Fault* fault;
    double log_likelihood = 0;
    double worst = 0;  // error of a row over its limit
  };

  size_t n_vocab() const { return model_.hparams().vocab_size; }

  void check(const ObservedRun& run, const ObservedRow& row) const {
    if (row.position >= run.ids.size())
      throw UsageError(fmt::format("logits of position {}, but {} ids", row.position, run.ids.size()));
    if (row.values.size() != (row.ids.empty() ? n_vocab() : row.ids.size()))
      throw UsageError(
          fmt::format("{} logits in a row; the model's vocabulary has {}", row.values.size(), n_vocab()));
    for (const int32_t id : row.ids)
      if (id < 0 || size_t(id) >= n_vocab())
        throw UsageError(fmt::format("token {} is not in the vocabulary", id));
  }

  void refuse() {
    size_t n_values = 0, n_ids = 0;
    bool any_number = false;
    for (const Row& row : rows_) {
      any_number |= std::ranges::any_of(row.seen.values, [](double x) { return std::isfinite(x); });
      n_values = std::max(n_values, row.seen.values.size());
      n_ids = std::max(n_ids, row.run.ids.size());
    }
    if (n_values < 2) {
      finding_.refusals.push_back(
          "anything: one top token a position is what many faults and no fault have in common");
      finding_.next = "give whole rows of logits, or the log-probabilities of 5 tokens or more";
    }
    if (!any_number)
      finding_.refusals.push_back(
          "which of the faults it is that give no numbers at all: rows without a finite one look alike; "
          "weights of the first layer (--weights) would tell");
    if (n_ids < 2)
      finding_.refusals.push_back(
          "nothing about RoPE, masks and positions: with one token they change nothing; 24 varied tokens "
          "would do");
    else if (n_ids < 12)
      finding_.refusals.push_back(
          "little about windows, caches and slow rotations: they need 24 varied tokens or more");
  }

  /// The row's logits among those of all its run's positions.
  std::span<const float> of_row(std::span<const float> logits, const Row& row) const {
    return logits.subspan(row.seen.position * n_vocab(), n_vocab());
  }

  /// How far a healthy engine's rows are from the model's, and the dump's rows.
  void measure() {
    FaultyEngine engine(model_, pool_);
    double sum = 0;
    for (const ObservedRun& run : runs_) {
      const std::vector<float> exact = engine.logits(run.ids, KvType::f32),
                               rounded = cpu_logits(model_, pool_, run.ids);
      for (Row& row : rows_) {
        if (&row.run != &run) continue;
        ObservedRow same{row.seen.position, row.seen.ids, {}, row.seen.up_to_constant};
        const std::span<const float> all = of_row(rounded, row);
        for (size_t j = 0; j < row.seen.values.size(); ++j)
          same.values.push_back(double(all[row.seen.ids.empty() ? j : size_t(row.seen.ids[j])]));
        row.noise = relative_error(same, of_row(exact, row));
        row.healthy = relative_error(row.seen, of_row(exact, row));
        sum += row.noise * row.noise;
      }
    }
    // One row's noise is a single draw: no row is quieter than the average.
    const double mean = std::sqrt(sum / double(rows_.size()));
    for (Row& row : rows_) row.noise = std::max({row.noise, mean, 1e-5});
  }

  /// Adds to `trial` what was seen of the run's first positions, if the fault made it.
  void weigh(Trial& trial, const ObservedRun& run, std::span<const float> logits, size_t n_positions) const {
    for (const Row& row : rows_) {
      if (&row.run != &run || row.seen.position >= n_positions) continue;
      const double e = relative_error(row.seen, of_row(logits, row));
      trial.worst = std::max(trial.worst, e / row.limit);
      const double floor = kFloor + row.rounding;
      trial.log_likelihood += std::log((row.healthy + floor) / (e + floor));
    }
  }

  /// Whether the run's first rows rule the fault out: right as long as later ids do not change earlier rows,
  /// which some faults do.
  bool is_ruled_out(Trial& trial, FaultyEngine& engine, const ObservedRun& run) const {
    if (run.ids.size() <= 2 * kProbe || run.rows.front().position >= kProbe) return false;
    const auto ids = std::span(run.ids);
    const std::vector<float> few = engine.logits(ids.first(kProbe), KvType::f32);
    Trial early = trial;
    weigh(early, run, few, kProbe);
    if (early.worst <= 1) return false;
    const std::vector<float> fewer = engine.logits(ids.first(kProbe - 1), KvType::f32);
    if (std::memcmp(fewer.data(), few.data(), fewer.size() * sizeof(float)) != 0) return false;
    trial = early;
    return true;
  }

  /// Nullopt when the fault touches nothing of the model. One that does not explain the data is weighed by
  /// the rows that show it.
  std::optional<Trial> attempt(const Fault& fault) const {
    FaultyEngine engine(model_, pool_, std::array{&fault});
    if (!engine.applies()) return std::nullopt;
    Trial trial{&fault};
    for (const ObservedRun& run : runs_) {
      if (run.rows.empty()) continue;
      if (is_ruled_out(trial, engine, run)) break;
      weigh(trial, run, engine.logits(run.ids, KvType::f32), run.ids.size());
      if (trial.worst > 1) break;
    }
    return trial;
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
    const auto first = std::ranges::find_if(rows_, [](const Row& row) { return row.healthy > row.limit; });
    return fmt::format("logits, from {} on", place_of(first == rows_.end() ? rows_.back() : *first));
  }
  std::string place_of(const Row& row) const {
    const std::string position = fmt::format("position {}", row.seen.position);
    return runs_.size() == 1 ? position : fmt::format("{} of run {}", position, &row.run - &runs_[0] + 1);
  }

  Finding& no_fault() {
    finding_.verdict = Finding::Verdict::no_fault;
    finding_.next = "nothing to mend in what these ids reach";
    return finding_;
  }

  void conclude(const std::vector<Trial>& explaining) {
    const double best = explaining.front().log_likelihood;
    double unknown = 0;  // errors at the edge of the noise
    for (const Row& row : rows_)
      if (!within_) unknown += std::max(0.0, std::log((row.healthy + kFloor) / (row.limit + kFloor)));
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
  std::span<const ObservedRun> runs_;
  const LogitDiagnosisOptions& options_;
  std::vector<Row> rows_;  // run after run
  bool within_ = true;     // a healthy engine's noise
  Finding finding_;
};

}  // namespace

Finding diagnose_logits(const Model& model, ThreadPool& pool, std::span<const ObservedRun> runs,
                        const LogitDiagnosisOptions& options) {
  return Diagnosis(model, pool, runs, options).run();
}

}  // namespace assay
