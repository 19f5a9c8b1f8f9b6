// assay quantize: a model file in smaller types.
#include "quantize/quantizer.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <utility>

#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/quantize_auto.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string in, out, type, imatrix, output_type, token_embedding_type, effort = "normal";
  std::vector<std::string> tensor_types;
  AutoOptions automatic;
  size_t n_threads = 0;
  bool pure = false, leave_output = false, allow_requantize = false, keep_split = false, dry_run = false,
       json = false;
};

const QuantType* optional_type(const std::string& name, const char* option) {
  if (name.empty()) return nullptr;
  if (const QuantType* type = find_quant_type(name)) return type;
  throw UsageError(std::string(option) + ": \"" + printable(name) + "\" is not a type of tensor");
}

Effort effort_of(const std::string& name) {
  return name == "fast" ? Effort::fast : name == "max" ? Effort::max : Effort::normal;
}

MixOptions mix_options(const Options& o, bool is_split) {
  MixOptions mix;
  mix.pure = o.pure;
  mix.has_importance = !o.imatrix.empty();
  mix.keep_output = o.leave_output;
  mix.in_file_order = o.keep_split && is_split;
  mix.output = optional_type(o.output_type, "--output-tensor-type");
  mix.token_embedding = optional_type(o.token_embedding_type, "--token-embedding-type");
  for (const std::string& text : o.tensor_types) mix.overrides.push_back(parse_type_override(text));
  return mix;
}

/// A line on a terminal's standard error that is overwritten: what is done, and how long the rest will take.
class ProgressLine {
 public:
  ~ProgressLine() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }
  void show(const QuantizeProgress& p) {
    const auto now = Clock::now();
    if (!errors_are_terminal() || (shown_ && now - last_ < std::chrono::milliseconds(100))) return;
    last_ = now;
    shown_ = true;
    const double share = double(p.elements_done) / double(p.elements);
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    const auto left = std::lround(seconds * (1 - share) / share);
    const std::string line = fmt::format("\r\033[K{:3.0f} %  {} min {:02} s left  {}", 100 * share, left / 60,
                                         left % 60, printable(p.tensor, 60));
    std::fwrite(line.data(), 1, line.size(), stderr);
  }

 private:
  Clock::time_point begin_ = Clock::now(), last_;
  bool shown_ = false;
};

/// Sums over all tensors that became one type.
struct TypeTotal {
  size_t n_tensors = 0;
  uint64_t n_elements = 0, n_bytes = 0;
  double squares = 0;  // of the relative errors, each tensor weighted by its elements
  uint64_t n_measured = 0;
  std::optional<double> relative_error() const {
    if (n_measured == 0) return std::nullopt;
    return std::sqrt(squares / double(n_measured));
  }
};

struct Summary {
  uint64_t n_elements = 0, bytes_before = 0, bytes_after = 0;
  size_t n_fallbacks = 0, n_without_importance = 0;
  std::map<uint32_t, TypeTotal> types;  // by id
  double bits_before() const { return bits(bytes_before); }
  double bits_after() const { return bits(bytes_after); }
  double bits(uint64_t n_bytes) const {
    return n_elements == 0 ? 0 : 8 * double(n_bytes) / double(n_elements);
  }
};

Summary sum_up(const std::vector<TensorPlan>& tensors) {
  Summary s;
  for (const TensorPlan& t : tensors) {
    s.n_elements += t.n_elements;
    s.bytes_before += t.bytes_before;
    s.bytes_after += t.bytes_after;
    s.n_fallbacks += t.to.wanted != nullptr;
    s.n_without_importance += t.from != t.to.type && !t.has_importance && t.name != "token_embd.weight";
    TypeTotal& total = s.types[t.to.type->id];
    ++total.n_tensors;
    total.n_elements += t.n_elements;
    total.n_bytes += t.bytes_after;
    if (!t.relative_error) continue;
    total.squares += *t.relative_error * *t.relative_error * double(t.n_elements);
    total.n_measured += t.n_elements;
  }
  return s;
}

Json to_json(const Options& o, const Mix& mix, const std::vector<TensorPlan>& tensors, const Summary& s) {
  Json json{{"input", o.in}, {"type", mix.name}, {"file_type", mix.file_type}, {"dry_run", o.dry_run}};
  json["bytes_before"] = s.bytes_before;
  json["bytes_after"] = s.bytes_after;
  json["bits_per_weight"] = s.bits_after();
  json["tensors"] = Json::array();
  for (const TensorPlan& t : tensors) {
    Json row{{"name", t.name}, {"from", t.from->name}, {"to", t.to.type->name}, {"bytes", t.bytes_after}};
    if (t.to.wanted) row["instead_of"] = t.to.wanted->name;
    if (t.to.needs_importance) row["needs_importance"] = true;
    if (t.has_importance) row["has_importance"] = true;
    if (t.relative_error) row["relative_error"] = *t.relative_error;
    json["tensors"].push_back(std::move(row));
  }
  return json;
}

void print_tensors(const std::vector<TensorPlan>& tensors) {
  for (const TensorPlan& t : tensors) {
    std::string note;
    if (t.to.wanted)
      note = fmt::format("  instead of {}, whose blocks do not divide the rows", t.to.wanted->name);
    if (t.to.needs_importance && !t.has_importance && t.from != t.to.type)
      note += "  needs an importance matrix";
    print(fmt::format("{:36} {:>7} {:>12} -> {:>7} {:>12} bytes{}\n", printable(t.name), t.from->name,
                      t.bytes_before, t.to.type->name, t.bytes_after, note));
  }
}

void print_summary(const Summary& s) {
  for (const auto& [id, total] : s.types) {
    const auto error = total.relative_error();
    print(fmt::format("{:8} {:4} tensors {:12.2f} MB{}\n", find_quant_type(id)->name, total.n_tensors,
                      double(total.n_bytes) / 1e6,
                      error ? fmt::format("  relative RMS error {:.4f}", *error) : ""));
  }
  print(fmt::format("total    {:.2f} MB -> {:.2f} MB, {:.2f} -> {:.2f} bits per weight\n",
                    double(s.bytes_before) / 1e6, double(s.bytes_after) / 1e6, s.bits_before(),
                    s.bits_after()));
}

void notify(const Options& o, const Summary& s, const std::vector<TensorPlan>& tensors) {
  if (s.n_fallbacks > 0)
    notice(
        fmt::format("{} of {} tensors have rows that the wanted type's blocks do not divide and got another",
                    s.n_fallbacks, tensors.size()));
  if (!o.imatrix.empty() && s.n_without_importance > 0)
    notice(fmt::format("tensors that are not in the importance matrix: {}", s.n_without_importance));
}

/// The mix whose base type holds most of the weights: what the file calls itself.
const Mix& nearest_mix(const GgufFile& file, std::span<const TypeChoice> choices) {
  std::map<const QuantType*, uint64_t> n_elements;
  for (size_t i = 0; i < choices.size(); ++i) n_elements[choices[i].type] += file.tensors()[i].n_elements;
  const Mix* nearest = &need_mix("Q8_0");
  for (const Mix& mix : mixes())
    if (n_elements[mix.base] > n_elements[nearest->base]) nearest = &mix;
  return *nearest;
}

ExitStatus run(Options& o) {
  const bool is_automatic = !o.automatic.budget.empty();
  if (o.dry_run && o.type.empty() && !is_automatic) std::swap(o.out, o.type);  // IN TYPE --dry-run
  if (is_automatic && !o.type.empty())
    throw UsageError("--auto chooses the types: TYPE " + printable(o.type) + " is not wanted beside it");
  if (o.type.empty() && !is_automatic) throw UsageError("TYPE is missing; see `assay quantize --help`");
  const Mix* mix = &need_mix(is_automatic ? "Q8_0" : o.type);
  const GgufFile file = GgufFile::open(o.in);
  std::optional<Imatrix> imatrix;
  if (!o.imatrix.empty()) imatrix = read_imatrix(o.imatrix);
  const MixOptions options = mix_options(o, file.n_parts() > 1);
  std::vector<TypeChoice> choices =
      choose_types(file.tensors(), read_model_facts(file.metadata()), *mix, options);
  AutoChoice automatic;
  if (is_automatic) {
    o.automatic.n_threads = o.n_threads;
    automatic = choose_automatically(o.in, choices, imatrix ? &*imatrix : nullptr, o.automatic);
    choices = automatic.choices;
    mix = &nearest_mix(file, choices);
  }
  std::vector<TensorPlan> tensors;
  double seconds = 0;
  if (o.dry_run) {
    tensors = plan_tensors(file, choices, imatrix ? &*imatrix : nullptr);
  } else {
    StopOnSignal signal;
    ProgressLine line;
    ThreadPool pool(o.n_threads ? o.n_threads : ThreadPool::default_threads());
    QuantizeOptions how;
    how.file_type = mix->file_type;
    how.imatrix = imatrix ? &*imatrix : nullptr;
    how.imatrix_path = o.imatrix;
    how.effort = effort_of(o.effort);
    how.allow_requantize = o.allow_requantize;
    how.keep_split = o.keep_split;
    how.progress = [&](const QuantizeProgress& progress) {
      line.show(progress);
      return !signal.stop();
    };
    const auto begin = Clock::now();
    try {
      tensors = quantize_file(file, o.out, choices, how, pool).tensors;
    } catch (const Stopped&) {
      throw MachineError("stopped by a signal; " + printable(o.out, 1000) + " is not written");
    }
    seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  const Summary summary = sum_up(tensors);
  notify(o, summary, tensors);
  if (o.json) {
    Json json = to_json(o, *mix, tensors, summary);
    if (is_automatic) json["kl"] = {automatic.measured_kl, automatic.measured_error};
    if (!o.dry_run) json["seconds"] = seconds;
    print_json(json);
    return kDone;
  }
  if (o.dry_run) print_tensors(tensors);
  print_summary(summary);
  if (is_automatic)
    print(fmt::format("KL       {:.6f} ± {:.6f} nats a token on the text (sum of the tensors' own: {:.6f})\n",
                      automatic.measured_kl, automatic.measured_error, automatic.estimated_kl));
  if (!o.dry_run)
    print(fmt::format("time     {:.2f} s, {:.0f} MB/s of input\n", seconds,
                      double(summary.bytes_before) / 1e6 / seconds));
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  std::string types = "Type of the file:";
  for (const Mix& mix : mixes()) (types += ' ') += mix.name;
  app.add_option("IN", o->in, "GGUF file; of a split model, its first part")->required();
  app.add_option("OUT", o->out, "The file to write; may be left out with --dry-run")->required();
  app.add_option("TYPE", o->type, types);
  app.add_option("--imatrix", o->imatrix,
                 "Importance matrix (GGUF or .dat): which columns matter. Types under 3 bits need one")
      ->option_text("FILE");
  app.add_option("--tensor-type", o->tensor_types,
                 "Tensors whose names the pattern is found in get this type; the first that matches counts")
      ->option_text("REGEX=TYPE")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1)
      ->allow_extra_args(false);
  app.add_option("--output-tensor-type", o->output_type, "Type of output.weight")->option_text("TYPE");
  app.add_option("--token-embedding-type", o->token_embedding_type, "Type of token_embd.weight")
      ->option_text("TYPE");
  app.add_flag("--leave-output-tensor", o->leave_output, "Keep output.weight as it is");
  app.add_flag("--pure", o->pure, "The same type for all tensors that are quantized");
  app.add_option("--effort", o->effort, "How long the encoders search: fast, normal, max")
      ->check(CLI::IsMember({"fast", "normal", "max"}))
      ->capture_default_str()
      ->option_text("EFFORT");
  app.add_flag("--allow-requantize", o->allow_requantize, "Take quantized tensors as input too");
  app.add_flag("--keep-split", o->keep_split,
               "Write a split model in the same parts, OUT-00001-of-0000N.gguf");
  app.add_flag("--dry-run", o->dry_run, "Write nothing; show each tensor's type and size");
  app.add_option("-t,--threads", o->n_threads, "Threads; 0: the processors there are")
      ->check(CLI::Range(0, 1024))
      ->option_text("N");
  add_auto_options(app, o->automatic);
  app.add_flag("--json", o->json, "Print JSON");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_quantize{
    "quantize", "Make a smaller file of a model: quantize its tensors",
    "Example: assay quantize model-f16.gguf model-q4_k_m.gguf Q4_K_M\n"
    "         assay quantize model-f16.gguf small.gguf IQ2_XS --imatrix imatrix.gguf\n"
    "         assay quantize model-f16.gguf best.gguf --auto 4.5bpw --text sample.txt\n"
    "         assay quantize model-f16.gguf mine.gguf Q4_K_M --tensor-type 'blk\\.0\\..*=Q8_0' --dry-run",
    define};

}  // namespace assay::cli
