#include "diagnose/compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "diagnose/compare/compare_text.h"
#include "diagnose/compare/file_facts.h"
#include "diagnose/compare/null_sample.h"
#include "diagnose/compare/same_model.h"
#include "diagnose/faults/faulty_engine.h"
#include "diagnose/tokens/faulty_tokenizer.h"
#include "judge/importance.h"
#include "quantize/quantizer.h"
#include "runtime/loaded_model.h"
#include "runtime/memory_use.h"

namespace assay {
namespace {

using Path = std::filesystem::path;

/// Tokens of the text on which `cpu` is compared with `twin`, which is slow.
constexpr size_t kTwinTokens = 32;
/// Rounding activations in another order gives another error of the same size: at most twice as far from
/// exact in norm.
constexpr double kArithmeticRatio = 4;

Path best_of(const std::vector<Path>& files) {
  const Path* best = nullptr;
  double most = -1;
  for (const Path& path : files)
    if (const double bits = bits_per_weight(GgufFile::open(path)); bits > most) {
      most = bits;
      best = &path;
    }
  return *best;
}

LoadOptions load_options(std::string backend, size_t n_threads) {
  return {std::move(backend), n_threads, true, {}};
}

class Comparer {
 public:
  explicit Comparer(const CompareOptions& options)
      : o_(options),
        anchor_path_(options.anchor.empty() ? best_of(options.files) : options.anchor),
        anchor_(anchor_path_, load_options("exact", options.n_threads)),
        pool_(anchor_.n_threads()) {}

  Comparison run();

 private:
  void step(std::string_view what) {
    ++n_done_;
    if (o_.progress && !o_.progress(std::min(n_done_, n_steps_), n_steps_, what)) throw Stopped("stopped");
  }
  void compare_file(const Path& path);
  void judge_weights(const GgufFile& file, CompareRow& row);
  std::vector<float> importance_of(const TensorInfo& tensor);
  const NullSample* null_of(const GgufFile& file, CompareRow& row);
  void run_backend(LoadedModel& file, const TextRun& exact, const std::string& backend, CompareRow row);
  void run_faulty(LoadedModel& file, CompareRow row);
  /// Fills in what a run of the anchor's own ids says.
  void measure(CompareRow& row, const TextRun& run, const NullSample* null, const RunDistance* arithmetic);
  void finish(CompareRow row, const Model& model, Ops& ops, const Tokenizer& tokenizer, const TextRun& run,
              const std::vector<int32_t>& prompt);

  const CompareOptions& o_;
  Path anchor_path_;
  LoadedModel anchor_;
  ThreadPool pool_;
  Comparison result_;
  CompareText text_;
  TextRun base_;
  std::map<std::string, NullSample> nulls_;  // by the types of all tensors
  std::optional<Imatrix> importance_;
  size_t n_done_ = 0, n_steps_ = 1;
};

std::vector<float> Comparer::importance_of(const TensorInfo& tensor) {
  if (!importance_) {
    importance_.emplace();
    const auto longest = std::max_element(text_.sequences.begin(), text_.sequences.end(),
                                          [](const auto& a, const auto& b) { return a.size() < b.size(); });
    if (longest->size() >= 4) {
      LoadedModel cpu(anchor_path_, load_options("cpu", o_.n_threads));
      collect_importance(cpu, {*longest, longest->size(), 1}, 0, {.with_output = true}, *importance_,
                         [](size_t) { return true; });
    }
  }
  const auto entry = importance_->entries.find(std::string(tensor.name));
  if (entry == importance_->entries.end()) return {};
  return column_importance(entry->first, entry->second, tensor.n_cols(), tensor.dims[2]);
}

void Comparer::judge_weights(const GgufFile& file, CompareRow& row) {
  const GgufFile& anchor = anchor_.model().file();
  double observed = 0, expected = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    const TensorInfo* from = anchor.find(tensor.name);
    if (!from && tensor.name == "output.weight") from = anchor.find("token_embd.weight");
    if (!from) continue;  // named already
    TensorJudgement judgement = judge_tensor(anchor, *from, file, tensor, pool_);
    if (!judgement.fault.empty() && std::isfinite(judgement.ratio) && judgement.n_not_finite == 0)
      if (const std::vector<float> importance = importance_of(*from); !importance.empty())
        judgement = judge_tensor(anchor, *from, file, tensor, pool_, importance);
    if (std::isfinite(judgement.ratio)) {
      observed += std::pow(judgement.relative_rms, 2) * double(judgement.n_values);
      expected += std::pow(judgement.expected_rms, 2) * double(judgement.n_values);
    }
    row.tensors.push_back(std::move(judgement));
  }
  row.weight_ratio = expected > 0 && observed > 0 ? std::sqrt(observed / expected) : 1;
}

const NullSample* Comparer::null_of(const GgufFile& file, CompareRow& row) {
  const bool at_fault =
      !row.token_faults.empty() ||
      std::any_of(row.tensors.begin(), row.tensors.end(), [](const auto& t) { return !t.fault.empty(); });
  if (at_fault) {
    row.no_null = "not drawn: tokens or weights are at fault";
    return nullptr;
  }
  const uint64_t needed = NullModel::memory_bytes(anchor_.model()), there = physical_memory_bytes();
  if (there != 0 && needed > there / 2) {
    row.no_null =
        fmt::format("the null distribution needs {:.1f} GB of memory, half of the machine's is {:.1f} GB",
                    double(needed) / 1e9, double(there) / 2e9);
    return nullptr;
  }
  std::string types;
  for (const TensorInfo& tensor : file.tensors())
    types += fmt::format("{}={};", tensor.name, tensor.type->name);
  const auto known = nulls_.find(types);
  if (known != nulls_.end()) {
    row.null_is_exact = known->second.draws.empty();
    return row.null_is_exact ? nullptr : &known->second;
  }
  NullModel model(anchor_.model(), file, pool_);
  row.null_is_exact = model.is_exact();
  NullSample& sample = nulls_[types];
  if (row.null_is_exact || count_tokens(text_.sequences) < kLeastTokens) return nullptr;
  size_t drawn = 0;
  sample = NullSample::take(model, base_, text_.sequences, o_.n_draws, o_.seed, [&] {
    ++drawn;
    step(fmt::format("{}: noise, draw {}", row.label, drawn));
  });
  return &sample;
}

void Comparer::measure(CompareRow& row, const TextRun& run, const NullSample* null,
                       const RunDistance* arithmetic) {
  row.comparable = run.vocab_size == base_.vocab_size && run.d_model == base_.d_model &&
                   run.layers.size() == base_.layers.size() && run.n_tokens == base_.n_tokens;
  if (!row.comparable) return;
  const RunDistance d = distance(base_, run);
  row.kl = d.finite ? d.kl : NAN;
  row.n_same_top = base_.n_tokens - d.n_other_top;
  row.layers = d.layers;
  if (null && d.finite)
    row.tests =
        test_run(*null, base_, run, d, row.weight_ratio, arithmetic, kFaultChance / double(result_.n_tests));
}

void Comparer::finish(CompareRow row, const Model& model, Ops& ops, const Tokenizer& tokenizer,
                      const TextRun& run, const std::vector<int32_t>& prompt) {
  row.has_top = true;
  row.top = top_token(run.row(run.n_tokens - 1));
  row.top_text = piece_of(tokenizer, row.top.id);
  row.second_text = piece_of(tokenizer, row.top.second);
  row.continuation = continue_greedily(model, ops, tokenizer, prompt, o_.n_greedy);
  const Continuation& ours = result_.anchor_continuation;
  Continuation& theirs = row.continuation;
  for (size_t i = 0; i < std::min(ours.ids.size(), theirs.ids.size()) && !theirs.fork; ++i)
    if (theirs.ids[i] != ours.ids[i]) {
      theirs.fork = i;
      theirs.fork_gap = double(ours.gaps[i]);
    }
  step(row.label);
  result_.rows.push_back(std::move(row));
}

void Comparer::run_backend(LoadedModel& file, const TextRun& exact, const std::string& backend,
                           CompareRow row) {
  row.engine = backend;
  const NullSample* const null = null_of(file.model().file(), row);
  if (backend == "exact") {
    measure(row, exact, null, nullptr);
    return finish(std::move(row), file.model(), file.ops(), file.tokenizer(), exact, text_.sequences.back());
  }
  LoadedModel loaded(row.path, load_options(backend, o_.n_threads));
  const TextRun run = run_text(loaded.model(), loaded.ops(), text_.sequences);
  const RunDistance arithmetic = distance(exact, run);
  if (arithmetic.finite) row.arithmetic_kl = arithmetic.kl;
  if (backend != "twin") {
    std::vector<int32_t> first = text_.sequences.front();
    first.resize(std::min(first.size(), kTwinTokens));
    LoadedModel twin(row.path, load_options("twin", o_.n_threads));
    const TextRun reference = run_text(twin.model(), twin.ops(), {first});
    const TextRun same = run_text(loaded.model(), loaded.ops(), {first});
    if (same.logits == reference.logits) {
      row.arithmetic =
          fmt::format("equals twin bit for bit on {} tokens; rounding activations gives KL {:.2g} from exact",
                      first.size(), arithmetic.kl);
    } else if (backend == "cpu") {
      row.arithmetic_fault = fmt::format(
          "cpu must equal twin bit for bit, and does not on the first {} tokens: see "
          "`assay verify`",
          first.size());
    } else {
      const TextRun truth = run_text(file.model(), file.ops(), {first});
      const double expected = distance(truth, reference).kl, found = distance(truth, same).kl;
      row.arithmetic = fmt::format("KL {:.2g} from exact where twin has {:.2g}, on {} tokens", found,
                                   expected, first.size());
      if (!(found <= kArithmeticRatio * expected + 1e-9)) row.arithmetic_fault = row.arithmetic;
    }
  } else {
    row.arithmetic = fmt::format("rounding activations gives KL {:.2g} from exact", arithmetic.kl);
  }
  measure(row, run, null, &arithmetic);
  finish(std::move(row), loaded.model(), loaded.ops(), loaded.tokenizer(), run, text_.sequences.back());
}

void Comparer::run_faulty(LoadedModel& file, CompareRow row) {
  const Model& model = file.model();
  row.engine = "exact";
  Sequences sequences = text_.sequences;
  std::vector<const Fault*> of_ids, in_engine;
  for (const Fault* fault : o_.faults) {
    row.engine += fmt::format(" + {}", fault->id);
    (changes_ids(*fault) ? of_ids : in_engine).push_back(fault);
  }
  if (!of_ids.empty()) {
    const FaultyTokenizer faulty(model.file(), file.tokenizer(), of_ids);
    if (!faulty.applies()) row.notes.emplace_back("a fault has nothing in this vocabulary to act on");
    for (size_t i = 0; i < sequences.size(); ++i)
      if (auto ids = text_.texts[i].empty() ? std::nullopt
                                            : faulty.encode({text_.texts[i], nullptr}, model.max_context());
          ids && !ids->empty())
        sequences[i] = std::move(*ids);
  }
  FaultyEngine engine(model, pool_, in_engine);
  if (!engine.applies()) row.notes.push_back("a fault has nothing in this file to act on");
  const TextRun run = run_text(model, engine.ops(), sequences);
  if (sequences != text_.sequences) {
    for (size_t i = 0; i < sequences.size() && row.token_faults.empty(); ++i)
      if (const std::string first = first_difference(file.tokenizer(), text_.sequences[i], sequences[i]);
          !first.empty())
        row.token_faults.push_back(first + "; logits of other ids cannot be compared");
    null_of(model.file(), row);
  } else {
    const NullSample* const null = null_of(model.file(), row);
    measure(row, run, null, nullptr);
  }
  finish(std::move(row), model, engine.ops(), file.tokenizer(), run, sequences.back());
}

void Comparer::compare_file(const Path& path) {
  LoadedModel file(path, load_options("exact", o_.n_threads));
  const GgufFile& gguf = file.model().file();
  CompareRow row;
  row.path = path.string();
  row.label = path.stem().string();
  row.types = type_mix(gguf);
  row.n_bytes = gguf.n_bytes();
  row.bits_per_weight = bits_per_weight(gguf);
  std::error_code ignored;
  row.is_anchor = std::filesystem::equivalent(path, anchor_path_, ignored);

  Disagreements said = compare_metadata(anchor_.model().file(), anchor_.tokenizer(), gguf, file.tokenizer());
  row.token_faults = std::move(said.faults);
  row.notes = std::move(said.notes);
  for (size_t i = 0; i < text_.sequences.size() && !text_.texts[i].empty(); ++i)
    if (const std::string first =
            first_difference(file.tokenizer(), text_.sequences[i], file.tokenizer().encode(text_.texts[i]));
        !first.empty()) {
      row.token_faults.push_back("the text's " + first);
      break;
    }
  step(row.label + ": weights");
  judge_weights(gguf, row);

  const Hparams &ours = anchor_.model().hparams(), &theirs = file.model().hparams();
  const bool runs = ours.vocab_size == theirs.vocab_size && ours.n_layers == theirs.n_layers &&
                    ours.d_model == theirs.d_model;
  if (!runs) {
    row.engine = o_.backends.front();
    if (row.token_faults.empty()) row.token_faults.push_back("it is another model");
    result_.rows.push_back(std::move(row));
    return;
  }
  if (!o_.faults.empty()) return run_faulty(file, std::move(row));
  step(row.label + ": exact");
  const TextRun exact = run_text(file.model(), file.ops(), text_.sequences);
  for (const std::string& backend : o_.backends) run_backend(file, exact, backend, row);
}

Comparison Comparer::run() {
  const size_t n_rows = o_.files.size() * o_.backends.size();
  n_steps_ = 2 + o_.files.size() * (2 + o_.backends.size() + o_.n_draws + 1);
  const GgufFile& file = anchor_.model().file();
  result_.anchor_path = anchor_path_.string();
  result_.anchor_label = anchor_path_.stem().string();
  result_.anchor_types = type_mix(file);
  result_.n_draws = o_.n_draws;
  result_.n_tests = n_rows * (3 + anchor_.model().hparams().n_layers);
  if (is_quantized(file))
    result_.notes.push_back(
        fmt::format("the anchor {} is itself quantized ({}): faults that it shares with the others do not "
                    "show; --anchor names a better one",
                    printable(result_.anchor_label), result_.anchor_types));
  step("text");
  text_ = make_text(o_, anchor_);
  result_.text_source = text_.source;
  result_.prompt = anchor_.tokenizer().decode(text_.sequences.back(), {.drop_bos_eos = true});
  result_.n_tokens = count_tokens(text_.sequences);
  result_.n_sequences = text_.sequences.size();
  base_ = run_text(anchor_.model(), anchor_.ops(), text_.sequences);
  for (const float logit : base_.logits)
    if (!std::isfinite(logit))
      throw UsageError(printable(result_.anchor_path, 1000) +
                       ": as the anchor it must give numbers, and a logit is none");
  result_.anchor_continuation = continue_greedily(anchor_.model(), anchor_.ops(), anchor_.tokenizer(),
                                                  text_.sequences.back(), o_.n_greedy);
  step("anchor");
  for (const Path& path : o_.files) compare_file(path);
  judge(result_);
  return std::move(result_);
}

}  // namespace

Comparison compare(const CompareOptions& options) {
  for (const std::string& backend : options.backends) need_backend(backend);
  if (!options.faults.empty() && options.backends != std::vector<std::string>{"exact"})
    throw UsageError("faults are injected into exact: no other backend can be named beside them");
  return Comparer(options).run();
}

}  // namespace assay
