// assay perplexity: how well models predict a text, and how far they are from a base.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/atomic_file.h"
#include "cli/chunk_progress.h"
#include "cli/input.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "judge/judge.h"
#include "judge/kl_base.h"
#include "judge/plot.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  ModelOptions model;
  std::string text, kl_base, write_kl_base, plot;
  std::vector<std::string> compare;
  size_t n_ctx = 512, n_chunks = SIZE_MAX;
  bool json = false;
};

/// A model among those measured, with what the table says of its file.
struct Candidate {
  std::unique_ptr<LoadedModel> loaded;
  std::string label;
  uint64_t n_bytes = 0;
  double bits_per_weight = 0;
};

Candidate load_candidate(ModelOptions options, const std::string& path) {
  options.path = path;
  Candidate c;
  c.loaded = load_model(options, true);
  c.label = std::filesystem::path(path).stem().string();
  const GgufFile& file = c.loaded->model().file();
  c.n_bytes = file.n_bytes();
  double n_weights = 0, n_bits = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    n_weights += double(tensor.n_elements);
    n_bits += 8.0 * double(tensor.n_bytes);
  }
  c.bits_per_weight = n_bits / n_weights;
  return c;
}

Json json_of(const Estimate& e) {
  return {e.value, e.error};
}

Json json_of(const DivergenceSummary& s) {
  Json json{{"perplexity", json_of(s.perplexity)},
            {"base_perplexity", json_of(s.base_perplexity)},
            {"perplexity_ratio", json_of(s.perplexity_ratio)},
            {"kl", json_of(s.kl)},
            {"kl_min", s.kl_min},
            {"kl_max", s.kl_max},
            {"same_top1", json_of(s.same_top)},
            {"delta_p", json_of(s.delta_p)},
            {"rms_delta_p", json_of(s.rms_delta_p)}};
  for (const auto& p : s.kl_percentiles)
    json["kl_percentiles"][fmt::format("{:g}", 100 * p.fraction)] = json_of(p.value);
  for (const auto& p : s.delta_p_percentiles)
    json["delta_p_percentiles"][fmt::format("{:g}", 100 * p.fraction)] = json_of(p.value);
  return json;
}

Json json_of(const ScoredText& text, size_t n_scored) {
  return {{"context", text.n_ctx}, {"chunks", n_scored / text.n_rows()}, {"scored_tokens", n_scored}};
}

void note_end(const ScoredText& text, size_t n_scored) {
  if (n_scored < text.n_scored())
    notice(fmt::format("stopped after {} of {} chunks", n_scored / text.n_rows(), text.n_chunks));
}

std::string kl_so_far(std::span<const Divergence> so_far) {
  double sum = 0;
  for (const Divergence& d : so_far) sum += d.kl;
  return fmt::format("KL {:.6f}", sum / double(so_far.size()));
}

ScoredText cut(const Options& o, const Tokenizer& tokenizer) {
  if (o.text.empty()) throw UsageError("TEXT is missing: name a text file, or - for standard input");
  return cut_text(tokenizer, read_text(o.text), o.n_ctx, o.n_chunks);
}

ExitStatus measure_alone(const Options& o) {
  const std::unique_ptr<LoadedModel> loaded = load_model(o.model, true);
  const ScoredText text = cut(o, loaded->tokenizer());
  ThreadPool pool(loaded->n_threads());
  std::vector<double> nll;
  ChunkProgress progress(text.n_chunks);
  if (o.write_kl_base.empty()) {
    ModelSource source(*loaded, text, o.model.n_batch, o.model.kv_type);
    nll = measure_surprise(source, text, pool, [&](std::span<const double> so_far) {
      return progress.done(so_far.size() / text.n_rows(),
                           fmt::format("perplexity {:.4f}", perplexity(so_far).value));
    });
  } else {
    write_kl_base(o.write_kl_base, *loaded, text, o.model.n_batch, o.model.kv_type,
                  [&](size_t chunk, size_t row, std::span<const float> logits) {
                    nll.push_back(surprise({logits}, text.target(chunk, row)));
                    need_finite(nll.back(), chunk);
                    if (row + 1 == text.n_rows() &&
                        !progress.done(chunk + 1, fmt::format("perplexity {:.4f}", perplexity(nll).value)))
                      throw UsageError("stopped; " + printable(o.write_kl_base, 1000) + " was not written");
                  });
  }
  note_end(text, nll.size());
  const Estimate value = perplexity(nll);
  if (o.json) {
    Json json = json_of(text, nll.size());
    json["perplexity"] = json_of(value);
    print_json(json);
  } else {
    print(fmt::format("perplexity {:.4f} ± {:.4f}  ({} tokens scored, {} chunks of {})\n", value.value,
                      value.error, nll.size(), nll.size() / text.n_rows(), text.n_ctx));
    if (!o.write_kl_base.empty())
      print(fmt::format("base written to {}, {:.1f} MiB\n", printable(o.write_kl_base, 1000),
                        double(std::filesystem::file_size(o.write_kl_base)) / 0x1p20));
  }
  return kDone;
}

void print_summary(const DivergenceSummary& s) {
  const auto line = [](const char* name, const Estimate& e, const char* unit = "") {
    print(fmt::format("{:<22} {:>12.6f} ± {:.6f}{}\n", name, e.value, e.error, unit));
  };
  const auto percent = [&](const char* name, const Estimate& e) {
    print(fmt::format("{:<22} {:>12.3f} ± {:.3f} %\n", name, 100 * e.value, 100 * e.error));
  };
  line("perplexity", s.perplexity);
  line("of the base", s.base_perplexity);
  line("ratio", s.perplexity_ratio);
  line("mean KL", s.kl, "  nats a token");
  print(fmt::format("{:<22} {:>12.6f}\n", "largest KL", s.kl_max));
  for (auto p = s.kl_percentiles.rbegin(); p != s.kl_percentiles.rend(); ++p)
    line(fmt::format("KL, {:g} % below", 100 * p->fraction).c_str(), p->value);
  percent("same top token", s.same_top);
  percent("mean Δp", s.delta_p);
  percent("RMS Δp", s.rms_delta_p);
  for (auto p = s.delta_p_percentiles.rbegin(); p != s.delta_p_percentiles.rend(); ++p)
    percent(fmt::format("Δp, {:g} % below", 100 * p->fraction).c_str(), p->value);
}

ExitStatus measure_against_file(const Options& o) {
  const std::unique_ptr<LoadedModel> loaded = load_model(o.model, true);
  const std::unique_ptr<KlBase> base = open_kl_base(o.kl_base, loaded->tokenizer(), loaded->n_threads());
  const ScoredText& text = base->text();
  if (!o.text.empty()) {
    const ScoredText given = cut_text(loaded->tokenizer(), read_text(o.text), text.n_ctx, text.n_chunks);
    if (given.ids != text.ids)
      throw UsageError(printable(o.kl_base, 1000) +
                       ": was made from another text, or with another vocabulary, than " +
                       printable(o.text, 1000) + " gives here; without TEXT the file's own tokens are used");
  }
  ModelSource source(*loaded, text, o.model.n_batch, o.model.kv_type);
  ThreadPool pool(loaded->n_threads());
  LogitSource* const models[] = {&source};
  ChunkProgress progress(text.n_chunks);
  const auto all = measure_divergence(*base, models, text, pool, [&](auto so_far) {
    return progress.done(so_far[0].size() / text.n_rows(), kl_so_far(so_far[0]));
  });
  note_end(text, all[0].size());
  const DivergenceSummary summary = summarize(all[0]);
  if (o.json) {
    Json json = json_of(text, all[0].size());
    json.update(json_of(summary));
    print_json(json);
  } else {
    print_summary(summary);
  }
  return kDone;
}

void write_plot(const std::string& path, std::span<const Candidate> candidates,
                std::span<const DivergenceSummary> summaries, const std::string& base) {
  std::vector<PlotPoint> points;
  for (size_t i = 0; i < candidates.size(); ++i)
    points.push_back({candidates[i].label, candidates[i].bits_per_weight, summaries[i].kl});
  std::string page = plot_svg(points, base);
  if (std::filesystem::path(path).extension() == ".html")
    page =
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><title>Quality against size</title>"
        "<body style=\"margin:0 auto;max-width:60rem\">" +
        page;
  AtomicFile file(path);
  file.write(page);
  file.commit();
}

ExitStatus compare(const Options& o) {
  const Candidate base = load_candidate(o.model, o.model.path);
  const ScoredText text = cut(o, base.loaded->tokenizer());
  std::vector<Candidate> candidates;
  std::vector<std::unique_ptr<ModelSource>> sources;
  std::vector<LogitSource*> models;
  for (const std::string& path : o.compare) {
    candidates.push_back(load_candidate(o.model, path));
    LoadedModel& loaded = *candidates.back().loaded;
    if (cut(o, loaded.tokenizer()).ids != text.ids)
      throw UsageError(printable(path, 1000) + ": its vocabulary gives other tokens than that of " +
                       printable(o.model.path, 1000));
    sources.push_back(std::make_unique<ModelSource>(loaded, text, o.model.n_batch, o.model.kv_type));
    models.push_back(sources.back().get());
  }
  ModelSource base_source(*base.loaded, text, o.model.n_batch, o.model.kv_type);
  ThreadPool pool(base.loaded->n_threads());
  ChunkProgress progress(text.n_chunks);
  const auto all = measure_divergence(base_source, models, text, pool, [&](auto so_far) {
    return progress.done(so_far[0].size() / text.n_rows(), kl_so_far(so_far[0]));
  });
  note_end(text, all[0].size());
  std::vector<DivergenceSummary> summaries;
  for (const auto& one : all) summaries.push_back(summarize(one));
  if (!o.plot.empty()) write_plot(o.plot, candidates, summaries, base.label);
  if (o.json) {
    Json json = json_of(text, all[0].size());
    json["base"] = {{"file", o.model.path},
                    {"bytes", base.n_bytes},
                    {"bits_per_weight", base.bits_per_weight},
                    {"perplexity", json_of(summaries[0].base_perplexity)}};
    for (size_t i = 0; i < candidates.size(); ++i) {
      Json one{{"file", o.compare[i]},
               {"bytes", candidates[i].n_bytes},
               {"bits_per_weight", candidates[i].bits_per_weight}};
      one.update(json_of(summaries[i]));
      json["files"].push_back(one);
    }
    print_json(json);
    return kDone;
  }
  size_t width = base.label.size();
  for (const Candidate& c : candidates) width = std::max(width, c.label.size());
  print_text(fmt::format("{:<{}}  {:>9}  {:>5}  {:>19}  {:>21}  {:>17}  {:>8}\n", "file", width, "MiB",
                         "bits", "perplexity", "mean KL", "same top, %", "RMS Δp, %"));
  const auto row_begin = [&](const Candidate& c, const Estimate& ppl) {
    return fmt::format("{:<{}}  {:>9.2f}  {:>5.2f}  {:>10.4f} ± {:<6.4f}", c.label, width,
                       double(c.n_bytes) / 0x1p20, c.bits_per_weight, ppl.value, ppl.error);
  };
  print_text(row_begin(base, summaries[0].base_perplexity) + "  (base)\n");
  for (size_t i = 0; i < candidates.size(); ++i) {
    const DivergenceSummary& s = summaries[i];
    print_text(row_begin(candidates[i], s.perplexity) +
               fmt::format("  {:>10.6f} ± {:<8.6f}  {:>8.3f} ± {:<6.3f}  {:>8.3f}\n", s.kl.value, s.kl.error,
                           100 * s.same_top.value, 100 * s.same_top.error, 100 * s.rms_delta_p.value));
  }
  return kDone;
}

ExitStatus run(const Options& o) {
  if (!o.compare.empty()) return compare(o);
  if (!o.kl_base.empty()) return measure_against_file(o);
  return measure_alone(o);
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  add_model_options(app, o->model);
  app.add_option("TEXT", o->text, "Text file; - is standard input");
  app.add_option("-c,--ctx-size", o->n_ctx, "Tokens a chunk; the second half of each is scored")
      ->check(CLI::Range(4, 1 << 24))
      ->capture_default_str()
      ->option_text("N");
  app.add_option("--chunks", o->n_chunks, "Chunks at most (default: the whole text)")
      ->check(CLI::Range(1, 1 << 24))
      ->option_text("N");
  auto* const write =
      app.add_option("--write-kl-base", o->write_kl_base, "Keep what MODEL says, to judge others by")
          ->option_text("FILE");
  auto* const base = app.add_option("--kl-base", o->kl_base,
                                    "Judge MODEL by such a file, or by llama.cpp's; TEXT may be left out")
                         ->option_text("FILE")
                         ->excludes(write);
  auto* const compare =
      app.add_option("--compare", o->compare, "Judge these files by MODEL, in one pass over TEXT")
          ->option_text("FILE...")
          ->excludes(write)
          ->excludes(base);
  app.add_option("--plot", o->plot, "With --compare: KL against size as a picture, .svg or .html")
      ->option_text("FILE")
      ->needs(compare);
  app.add_flag("--json", o->json, "Print the result as JSON; [estimate, standard error]");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_perplexity{
    "perplexity", "Measure how well a model predicts a text, and how far it is from another",
    "Example: assay perplexity model-f16.gguf text.txt --compare model-q8_0.gguf model-q4_k_m.gguf --plot "
    "quality.svg\n"
    "Perplexity and KL are defined as by llama.cpp. To judge one file at a time, keep what the base says:\n"
    "  assay perplexity model-f16.gguf text.txt --write-kl-base base.kl\n"
    "  assay perplexity model-q4_k_m.gguf --kl-base base.kl",
    define};

}  // namespace assay::cli
