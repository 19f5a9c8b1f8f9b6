#include "diagnose/replay/trace_diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/load_error.h"
#include "diagnose/pattern.h"

namespace assay {
namespace {

/// What rounding activations for products costs at most, relative to the result.
double product_bound(const Model& model) {
  double bound = 1e-4;  // f32 sums in another order, with cancellation
  for (const Weight* w : model.product_weights()) {
    const std::string_view type = w->type->name;
    bound = std::max(bound, type == "F32" ? 1e-4 : type == "F16" ? 2e-3 : type == "BF16" ? 1e-2 : 0.04);
  }
  return bound;
}

bool is_product(std::string_view op) {
  return op == "MUL_MAT" || op == "MUL_MAT_ID" || op == "GET_ROWS";
}

bool is_scores(std::string_view name) {
  return name.starts_with("kq-") || name.starts_with("kq_soft_max-");
}

/// How the engine's numbers differ, in words; a thousandth of their RMS counts as equal.
std::string pattern_of(const Compared& c, size_t head_dim) {
  const size_t n_rows = c.ours.size() / c.n_cols;
  double norm = 0;
  for (const double x : c.ours) norm += x * x;
  const Values ours{n_rows, c.n_cols, c.ours}, theirs{n_rows, c.n_cols, c.theirs},
      allowed{n_rows, c.n_cols, std::vector(c.ours.size(), 1e-3 * std::sqrt(norm / double(c.ours.size())))};
  const ResultPair pair{ours, theirs, allowed, head_dim, c.first_row};
  return find_pattern(pair).text(pair);
}

class Diagnosis {
 public:
  Diagnosis(const Model& model, ThreadPool& pool, std::span<const int32_t> ids, const ForeignTrace& trace,
            const TraceDiagnosisOptions& options)
      : model_(model),
        pool_(pool),
        ids_(ids),
        options_(options),
        names_(model, pool, trace),
        floor_(1e-6 + 3 * trace.rounding()),
        rounding_(trace.rounding()) {
    set_bounds();
  }

  Finding run() {
    if (names_.n_present() == 0)
      throw UsageError("the trace has no result of this model; `assay trace` shows the names");
    FaultyEngine engine(model_, pool_);
    healthy_ = replay(model_, engine, ids_, names_);
    report_coverage();
    if (healthy_.compared.empty()) {
      finding_.verdict = Finding::Verdict::unknown_fault;
      finding_.place = healthy_.wrong_shapes.front();
      finding_.next = "check the shapes that the engine derives from the file's hyperparameters, and --ids";
      return finding_;
    }
    baseline_.assign(names_.size(), nullptr);
    for (const Compared& c : healthy_.compared) baseline_[c.result] = &c;
    for (const Compared& c : healthy_.compared)
      if (!first_ && !within(c)) first_ = &c;
    if (ids_.size() == 1)
      finding_.refusals.push_back(
          "nothing about RoPE, masks and positions: with one token they change nothing; 12 tokens or more "
          "would do");
    if (first_)
      beyond_bounds();
    else
      within_bounds();
    return finding_;
  }

 private:
  struct Trial {
    const Fault* fault;
    double log_likelihood, worst;
  };

  bool within(const Compared& c) const { return c.relative <= bounds_[c.result]; }

  void set_bounds() {
    const double product = product_bound(model_);
    double sum = 0;
    std::set<std::string> linear_names{"Qcur",     "Kcur",     "Vcur",   "wqkv",
                                       "attn_out", "ffn_gate", "ffn_up", "ffn_out"};
    for (size_t i = 0; i < names_.size(); ++i) {
      const std::string& name = names_.name(i);
      const std::string& op = names_.op(i);
      const bool linear = linear_names.contains(name.substr(0, name.rfind('-'))) && op == "ADD";
      double own = 1e-4 + 3 * rounding_;
      if (is_scores(name) || op == "CONT")
        own = 5e-3 + 16 * rounding_;  // soft-max multiplies errors of scores by their size
      else if (op == "MUL_MAT" || op == "MUL_MAT_ID" || linear)
        own = product + 3 * rounding_;
      else if (op == "GLU" || op == "UNARY")
        own = 1e-2 + 3 * rounding_;
      sum += own;
      bounds_.push_back(std::min(sum, std::max(own, 0.08)));
      if (names_.foreign(i)) sum = 0;
    }
  }

  void report_coverage() {
    finding_.figures.push_back(fmt::format("{} of the model's {} results are in the trace, {} tokens",
                                           healthy_.compared.size(), names_.size(), ids_.size()));
    if (!names_.unknown().empty())
      finding_.figures.push_back(fmt::format("{} names in the trace are none of this model's, \"{}\" first",
                                             names_.unknown().size(), printable(names_.unknown().front())));
    for (const std::string& wrong : healthy_.wrong_shapes) finding_.figures.push_back(wrong);
  }

  /// Faults that could act on a result: all of them but those of weights when no product lies between the
  /// results.
  std::vector<const Fault*> suspects() const {
    bool products = !first_;
    if (first_)
      for (size_t i = begin_of(first_->result); i <= first_->result; ++i)
        products |= is_product(names_.op(i)) || names_.op(i) == "ADD";
    std::vector<const Fault*> list;
    for (const Fault* fault : faults()) {
      if (fault == options_.hidden) continue;
      const bool of_weights = std::holds_alternative<DecodeFault>(fault->injection) ||
                              std::holds_alternative<LayoutFault>(fault->injection);
      if (std::holds_alternative<OpsFault>(fault->injection) || (of_weights && products))
        list.push_back(fault);
    }
    return list;
  }
  /// The first result after the last one that the trace has.
  size_t begin_of(size_t result) const {
    while (result > 0 && !names_.foreign(result - 1)) --result;
    return result;
  }

  /// Attention's own faults act behind what the trace computes as scores (trace_ops.h): those say nothing
  /// about them.
  bool counts(const Fault& fault, size_t result) const {
    const bool inside = fault.family == FaultFamily::attention || fault.family == FaultFamily::numerics;
    return !inside || !is_scores(names_.name(result));
  }

  /// Nullopt when `explains` denies some result. The first result that it denies without the fault is tried
  /// alone, which rules out most.
  template <class Explains>
  std::optional<Trial> attempt(const Fault& fault, const Explains& explains) const {
    FaultyEngine engine(model_, pool_, std::array{&fault});
    if (!engine.applies()) return std::nullopt;
    Trial trial{&fault, 0, 0};
    bool fits = true;
    ReplayOptions options;
    const auto wrong =
        std::ranges::find_if(healthy_.compared, [&](const Compared& c) { return !explains(c); });
    if (wrong != healthy_.compared.end()) {
      options.from = begin_of(wrong->result);
      options.go_on = [&](const Compared& c) {
        if (c.result == wrong->result) fits = !counts(fault, c.result) || explains(c);
        return c.result < wrong->result;
      };
      replay(model_, engine, ids_, names_, options);
      if (!fits) return std::nullopt;
      options.from = 0;
    }
    options.go_on = [&](const Compared& c) {
      if (!counts(fault, c.result)) return true;
      if (!explains(c)) return fits = false;
      trial.worst = std::max(trial.worst, c.relative);
      const Compared& before = *baseline_[c.result];
      for (size_t i = 0; i < c.row_errors.size(); ++i)
        trial.log_likelihood += std::log((before.row_errors[i] + floor_) / (c.row_errors[i] + floor_));
      return true;
    };
    replay(model_, engine, ids_, names_, options);
    return fits ? std::optional(trial) : std::nullopt;
  }

  template <class Explains>
  std::vector<Trial> attempt_all(const Explains& explains) {
    std::vector<Trial> fitting;
    const std::vector<const Fault*> list = suspects();
    for (size_t i = 0; i < list.size(); ++i) {
      if (const std::optional<Trial> trial = attempt(*list[i], explains)) fitting.push_back(*trial);
      if (options_.progress && !options_.progress(i + 1, list.size())) break;
    }
    std::ranges::stable_sort(fitting, std::greater{}, &Trial::log_likelihood);
    return fitting;
  }

  void beyond_bounds() {
    describe_place();
    const std::vector<Trial> fitting = attempt_all([&](const Compared& c) { return within(c); });
    double unknown = 0;  // an error at the bound wherever there is one beyond it
    for (const Compared& c : healthy_.compared)
      for (const double e : is_scores(names_.name(c.result)) ? std::vector<double>{} : c.row_errors)
        if (e > bounds_[c.result]) unknown += std::log((e + floor_) / (bounds_[c.result] + floor_));
    conclude(fitting, unknown);
    if (fitting.empty()) {
      finding_.verdict = Finding::Verdict::unknown_fault;
      finding_.next =
          names_.n_present() < names_.size()
              ? "dump the results in between: " + missing_between(*first_)
              : "read the engine's code for this operation: its inputs are right and its result is not";
    }
  }

  /// Nothing but f32 is left of the error. A fault that rounds to a grid may round a number the other way
  /// when its inputs come from an f32 dump: to bf16 one number in 2^15, which is an eighth of the rows of
  /// 4096 numbers. Such a row keeps less than half of its error.
  bool is_done_away_with(const Compared& c) const {
    const double limit = 10 * floor_;
    if (c.relative <= limit) return true;
    const std::vector<double>& before = baseline_[c.result]->row_errors;
    size_t n_other = 0;
    for (size_t i = 0; i < c.row_errors.size(); ++i) {
      if (c.row_errors[i] <= limit) continue;
      if (2 * c.row_errors[i] > before[i]) return false;
      ++n_other;
    }
    return 8 * n_other <= c.row_errors.size();
  }

  void within_bounds() {
    double worst = 0;
    for (const Compared& c : healthy_.compared) worst = std::max(worst, c.relative);
    finding_.figures.push_back(
        fmt::format("largest relative error of a result, given the engine's inputs: {:.2g}", worst));
    finding_.verdict = Finding::Verdict::no_fault;
    finding_.next = "nothing to mend in what was dumped";
    if (worst < 30 * floor_) return;
    std::vector<Trial> fitting = attempt_all([&](const Compared& c) { return is_done_away_with(c); });
    // The errors could be arithmetic, so a fault has to do away with them, not just lessen them.
    std::erase_if(fitting, [](const Trial& t) { return t.log_likelihood < 20; });
    if (fitting.empty()) return;
    for (const Compared& c : healthy_.compared)
      if (!first_ && c.relative > 10 * floor_) first_ = &c;
    describe_place();
    conclude(fitting, 0);
  }

  void conclude(const std::vector<Trial>& fitting, double unknown) {
    if (fitting.empty()) return;
    const double best = fitting.front().log_likelihood;
    double total = std::exp(std::min(unknown - best, 0.0));
    for (const Trial& t : fitting) total += std::exp(t.log_likelihood - best);
    for (const Trial& t : fitting) {
      if (t.log_likelihood < best - std::log(20.0)) break;
      finding_.candidates.push_back(
          {t.fault, std::exp(t.log_likelihood - best) / total,
           fmt::format("with it every result is right to {:.1g}; without, {} is off by {:.2g}", t.worst,
                       names_.name(first_->result), first_->relative)});
    }
    if (finding_.candidates.size() == 1) {
      finding_.verdict = Finding::Verdict::fault;
      finding_.next = "mend it, dump again, and look at what comes after";
    } else {
      finding_.verdict = Finding::Verdict::shortlist;
      const std::string missing = missing_between(*first_);
      finding_.next = missing.empty()
                          ? "on this model and prompt these act alike; another model or 24 and more varied "
                            "tokens may tell them apart"
                          : "to tell them apart, dump " + missing;
    }
  }

  std::string missing_between(const Compared& c) const {
    std::string list;
    for (size_t i = begin_of(c.result); i < c.result; ++i)
      list += (list.empty() ? "" : ", ") + names_.name(i) + " (" + names_.op(i) + ")";
    return list;
  }

  void describe_place() {
    FaultyEngine engine(model_, pool_);
    const size_t result = first_->result;
    const Replay again =
        replay(model_, engine, ids_, names_,
               {.keep = result, .go_on = [&](const Compared& c) { return c.result != result; }});
    const Compared& c = *std::ranges::find(again.compared, result, &Compared::result);
    const std::string& name = names_.name(result);
    const std::string& op = names_.op(result);
    const bool has_heads = op == "ROPE" || op == "CONT" || name.find("_normed-") != std::string::npos;
    const std::string pattern = pattern_of(c, has_heads ? model_.hparams().head_dim : 0);
    const std::string missing = missing_between(c);
    const size_t dash = name.rfind('-');
    finding_.place =
        fmt::format("{}{} ({}), relative error {:.2g} where {:.2g} is arithmetic: {}{}",
                    dash == std::string::npos ? "" : "layer " + name.substr(dash + 1) + ", ", name, op,
                    c.relative, bounds_[result], pattern,
                    missing.empty() ? "" : "; or in what is not in the trace before it: " + missing);
    finding_.figures.push_back(
        fmt::format("cosine {:.4f}; worst row {} of {}", c.cosine,
                    c.first_row + size_t(std::ranges::max_element(c.row_errors) - c.row_errors.begin()),
                    c.row_errors.size()));
  }

  const Model& model_;
  ThreadPool& pool_;
  std::span<const int32_t> ids_;
  const TraceDiagnosisOptions& options_;
  TraceAlignment names_;
  double floor_, rounding_;
  std::vector<double> bounds_;  // of each result
  Replay healthy_;
  std::vector<const Compared*> baseline_;  // of healthy_, by result
  const Compared* first_ = nullptr;        // beyond its bound
  Finding finding_;
};

}  // namespace

Finding diagnose_trace(const Model& model, ThreadPool& pool, std::span<const int32_t> ids,
                       const ForeignTrace& trace, const TraceDiagnosisOptions& options) {
  return Diagnosis(model, pool, ids, trace, options).run();
}

}  // namespace assay
