// assay bench: speed beside the machine's measured limits.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "base/cpu_flags.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "cpu/limits.h"
#include "model/synthetic.h"
#include "runtime/speed.h"

namespace assay::cli {
namespace {

struct Options {
  ModelOptions model;
  std::string synthetic, keep;
  SpeedOptions speed;
  std::vector<size_t> n_sequences = {1};
  bool json = false, limits_only = false;
};

struct Spread {
  double median = 0, low = 0, high = 0;
  size_t round = 0;  // whose rate is the median
};
/// Tokens a second from seconds a round.
Spread rates(const std::vector<double>& seconds, size_t n_tokens) {
  if (seconds.empty()) return {};
  std::vector<size_t> rounds(seconds.size());
  std::iota(rounds.begin(), rounds.end(), size_t(0));
  std::ranges::sort(rounds, {}, [&](size_t i) { return seconds[i]; });
  const auto rate = [&](size_t round) { return double(n_tokens) / seconds[round]; };
  const size_t middle = rounds[rounds.size() / 2];
  return {rate(middle), rate(rounds.back()), rate(rounds.front()), middle};
}

/// A file that goes away with its last user.
struct TemporaryModel {
  std::filesystem::path path;
  bool keep = true;
  ~TemporaryModel() {
    std::error_code ignored;
    if (!keep) std::filesystem::remove(path, ignored);
  }
};

/// Measures prefill and generation with the sequences of `o.speed`; adds them to `json`, or prints them.
void measure(const Options& o, LoadedModel& loaded, cpu::LimitMeter& meter, nlohmann::ordered_json& json) {
  const Model& model = loaded.model();
  const size_t n = o.speed.n_sequences;
  std::vector<cpu::Limits> limits;  // before the first round and after each
  const Speed speed = measure_speed(loaded, o.speed, [&] { limits.push_back(meter.measure()); });
  const Spread prefill = rates(speed.prefill, o.speed.n_prompt),
               generate = rates(speed.generate, o.speed.n_generate * n);
  // Of one forward pass; the KV cache as it is halfway.
  const double read_bytes =
      bytes_per_token(model) + double(n) * (double(o.speed.depth) + double(o.speed.n_generate) / 2) *
                                   kv_bytes_per_position(model, o.model.kv_type);
  // A share is the middle round's, of the limits beside that round.
  const auto limits_beside = [&](const Spread& s) { return higher(limits[s.round], limits[s.round + 1]); };
  const cpu::Limits at_prefill = limits_beside(prefill), at_generate = limits_beside(generate);
  const double prefill_share = prefill.median * product_seconds_per_token(model, at_prefill);
  const double read_share = generate.median / double(n) * read_bytes / at_generate.read_bytes;
  const double read_limit = at_generate.read_bytes / 1e9;
  if (o.speed.n_prompt != 0)
    json["prefill"] = {{"tokens", o.speed.n_prompt},
                       {"per_second", prefill.median},
                       {"low", prefill.low},
                       {"high", prefill.high},
                       {"share_of_multiply_adds", prefill_share}};
  if (o.speed.n_generate != 0) {
    const nlohmann::ordered_json generated = {
        {"sequences", n},
        {"tokens", o.speed.n_generate},
        {"per_second", generate.median},
        {"low", generate.low},
        {"high", generate.high},
        {"read_gb_per_s", read_limit},
        {"share_of_read", read_share},
        {"share_of_multiply_adds", generate.median * product_seconds_per_token(model, at_generate)}};
    if (o.n_sequences.size() == 1)
      json["generate"] = generated;
    else
      json["generate"].push_back(generated);
  }
  if (o.json) return;
  if (o.speed.n_prompt != 0)
    print(
        fmt::format("prefill  {:4} tokens {:8.1f} t/s ({:.1f}-{:.1f})  {:3.0f} % of the multiply-add limit\n",
                    o.speed.n_prompt, prefill.median, prefill.low, prefill.high, 100 * prefill_share));
  if (o.speed.n_generate != 0)
    print(fmt::format(
        "generate {:4} tokens {:8.1f} t/s ({:.1f}-{:.1f})  {:3.0f} % of the read limit of {:.1f} GB/s{}\n",
        o.speed.n_generate, generate.median, generate.low, generate.high, 100 * read_share, read_limit,
        n == 1 ? "" : fmt::format(", {} sequences at once", n)));
}

ExitStatus run(Options& o) {
  ThreadPool pool(o.model.n_threads ? o.model.n_threads : ThreadPool::default_threads());
  const cpu::KernelSet* const bf16_set = o.model.backend == "cpu-bf16" ? cpu::bf16_kernel_set() : nullptr;
  const cpu::KernelSet& kernels = bf16_set ? *bf16_set : cpu::best_kernel_set();
  cpu::LimitMeter meter(kernels, pool);
  const cpu::Limits limits = meter.measure();
  nlohmann::ordered_json json = {{"machine", cpu_name()},
                                 {"kernels", kernels.name},
                                 {"threads", pool.n_threads()},
                                 {"clock_ghz", limits.clock_hertz / 1e9},
                                 {"read_gb_per_s", limits.read_bytes / 1e9},
                                 {"int8_gop_per_s", limits.int8_ops / 1e9},
                                 {"f32_gflop_per_s", limits.float_ops / 1e9}};
  if (bf16_set) json["bf16_gflop_per_s"] = limits.bf16_ops / 1e9;
  if (!o.json)
    print(
        fmt::format("machine  {}, {} threads, kernels {}, {:.2f} GHz seen\n"
                    "limits   read {:.1f} GB/s, int8 {:.0f} Gop/s, f32 {:.0f} Gflop/s{}\n",
                    cpu_name(), pool.n_threads(), kernels.name, limits.clock_hertz / 1e9,
                    limits.read_bytes / 1e9, limits.int8_ops / 1e9, limits.float_ops / 1e9,
                    bf16_set ? fmt::format(", bf16 dot {:.0f} Gflop/s", limits.bf16_ops / 1e9) : ""));
  if (!o.limits_only) {
    TemporaryModel file{o.model.path, true};
    if (!o.synthetic.empty()) {
      const SyntheticSpec spec = parse_synthetic(o.synthetic);
      file.keep = !o.keep.empty();
      file.path = file.keep ? std::filesystem::path(o.keep)
                            : std::filesystem::temp_directory_path() /
                                  ("assay-bench-" + std::to_string(pool.n_threads()) + "-" +
                                   std::to_string(std::random_device{}()) + ".gguf");
      write_synthetic(spec, file.path);
      o.model.path = file.path.string();
    }
    const auto start = std::chrono::steady_clock::now();
    const std::unique_ptr<LoadedModel> loaded = load_model(o.model, false);
    const double load_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const Model& model = loaded->model();
    const double megabytes = double(model.file().n_bytes()) / 1e6;
    o.speed.session.n_batch = o.model.n_batch;
    o.speed.session.kv_type = o.model.kv_type;
    json["model"] = {{"file", o.synthetic.empty() ? o.model.path : o.synthetic},
                     {"bytes", model.file().n_bytes()},
                     {"load_seconds", load_seconds}};
    json["depth"] = o.speed.depth;
    if (!o.json)
      print(fmt::format("model    {}, {:.0f} MB; {} rounds, medians (lowest-highest), depth {}\n",
                        printable(o.synthetic.empty() ? o.model.path : o.synthetic), megabytes,
                        o.speed.n_rounds, o.speed.depth) +
            fmt::format("load     {:.2f} s, {:.2f} GB/s\n", load_seconds, megabytes / 1e3 / load_seconds));
    for (const size_t n : o.n_sequences) {
      o.speed.n_sequences = n;
      measure(o, *loaded, meter, json);
      o.speed.n_prompt = 0;  // the same for every number of sequences
    }
  }
  if (o.json) print(json.dump(2) + "\n");
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  add_model_options(app, o->model);
  app.get_option("MODEL")->required(false);  // or --synthetic
  app.add_option("--synthetic", o->synthetic,
                 "Build a random-weight file SHAPE:TYPE and measure that, e.g. tinyllama-1.1b:q4_k_m");
  app.add_option("--keep", o->keep, "Keep the synthetic file under this name");
  app.add_option("-p,--n-prompt", o->speed.n_prompt, "Tokens of the prefill; 0: none")->capture_default_str();
  app.add_option("-n,--n-generate", o->speed.n_generate, "Tokens generated; 0: none")->capture_default_str();
  app.add_option("-d,--depth", o->speed.depth, "Tokens in the KV cache before either")->capture_default_str();
  app.add_option("-s,--sequences", o->n_sequences,
                 "Sequences generated at once, a token of each in a forward pass; several numbers: in turn")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("-r,--rounds", o->speed.n_rounds, "Rounds")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--limits", o->limits_only, "Measure only the machine");
  app.add_flag("--json", o->json, "Print JSON");
  return [o] {
    if (!o->limits_only && o->model.path.empty() == o->synthetic.empty())
      throw UsageError("give MODEL or --synthetic SHAPE:TYPE");
    return run(*o);
  };
}

}  // namespace

extern const Command command_bench{"bench", "Measure speed beside the machine's limits",
                                   "Example: assay bench model.gguf\n"
                                   "         assay bench --synthetic tinyllama-1.1b:q4_k_m\n"
                                   "         assay bench model.gguf -s 1,8,32\n"
                                   "         assay bench --limits --json",
                                   define};

}  // namespace assay::cli
