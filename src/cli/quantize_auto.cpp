#include "cli/quantize_auto.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>

#include "cli/chunk_progress.h"
#include "cli/input.h"
#include "cli/terminal.h"
#include "judge/sensitivity.h"
#include "quantize/allocate.h"

namespace assay::cli {
namespace {

/// What is tried for each tensor: types that need no importance matrix, of 2.6 to 16 bits; the last three are
/// for rows that super-blocks do not divide.
constexpr std::array kTypes{"Q2_K", "Q3_K", "IQ4_XS", "Q4_K", "Q5_K", "Q6_K",
                            "Q8_0", "F16",  "IQ4_NL", "Q5_0", "Q5_1"};

/// One of the two is set.
struct Budget {
  std::optional<double> bits_per_weight, n_bytes, kl;
};

Budget parse_budget(const std::string& text) {
  const bool is_kl = text.starts_with("kl=");
  const char* const begin = text.data() + (is_kl ? 3 : 0);
  double number = 0;
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
  const std::string unit(end, size_t(text.data() + text.size() - end));
  Budget budget;
  if (error == std::errc() && number > 0 && number < 1e18) {
    if (is_kl && unit.empty()) budget.kl = number;
    if (!is_kl && (unit.empty() || unit == "B")) budget.n_bytes = number;
    if (!is_kl && unit == "bpw") budget.bits_per_weight = number;
    const std::pair<const char*, double> units[] = {
        {"MB", 1e6}, {"GB", 1e9}, {"MiB", 0x1p20}, {"GiB", 0x1p30}};
    for (const auto& [name, factor] : units)
      if (!is_kl && unit == name) budget.n_bytes = number * factor;
  }
  if (!budget.kl && !budget.n_bytes && !budget.bits_per_weight)
    throw UsageError("--auto " + printable(text) +
                     ": a budget is a size (\"3.4MB\", \"1.2GiB\"), bits per weight (\"4.5bpw\") or a "
                     "KL in nats a token (\"kl=0.01\")");
  return budget;
}

std::vector<const QuantType*> candidate_types() {
  std::vector<const QuantType*> types;
  for (const char* name : kTypes) types.push_back(find_quant_type(name));
  return types;
}

}  // namespace

void add_auto_options(CLI::App& app, AutoOptions& o) {
  const char* const kGroup = "Automatic types";
  auto* const budget =
      app.add_option("--auto", o.budget,
                     "Choose each tensor's type by measuring what it costs, for this size (3.4MB, 4.5bpw) or "
                     "KL (kl=0.01); in place of TYPE")
          ->option_text("BUDGET")
          ->group(kGroup);
  app.add_option("--text", o.text, "Text to measure with, like what the model will be used for")
      ->option_text("FILE")
      ->needs(budget)
      ->group(kGroup);
  app.add_option("-c,--ctx-size", o.n_ctx, "Tokens a chunk of it")
      ->check(CLI::Range(4, 1 << 24))
      ->capture_default_str()
      ->option_text("N")
      ->needs(budget)
      ->group(kGroup);
  app.add_option("--chunks", o.n_chunks, "Chunks of it; their logits are kept in memory")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str()
      ->option_text("N")
      ->needs(budget)
      ->group(kGroup);
}

AutoChoice choose_automatically(const std::string& path, std::span<const TypeChoice> standard,
                                const Imatrix* imatrix, const AutoOptions& o) {
  const Budget budget = parse_budget(o.budget);
  if (o.text.empty()) throw UsageError("--auto measures with a text: name one with --text");
  LoadedModel loaded(path, {.backend = "", .n_threads = o.n_threads, .with_tokenizer = true, .progress = {}});
  const ScoredText text = cut_text(loaded.tokenizer(), read_text(o.text), o.n_ctx, o.n_chunks);
  ThreadPool pool(loaded.n_threads());
  SensitivityProbe probe(loaded, text, imatrix, pool);

  const std::vector<TensorInfo>& tensors = loaded.model().file().tensors();
  std::vector<size_t> judged;
  double n_fixed_bytes = 0, n_weights = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const bool is_bound = std::any_of(loaded.model().weights().begin(), loaded.model().weights().end(),
                                      [&](const Weight& weight) { return weight.name == tensors[i].name; });
    n_weights += double(tensors[i].n_elements);
    if (standard[i].type != tensors[i].type && is_bound)
      judged.push_back(i);
    else
      n_fixed_bytes +=
          double(tensors[i].n_elements) / standard[i].type->block_elems * standard[i].type->block_bytes;
  }
  const std::vector<const QuantType*> types = candidate_types();
  std::vector<TensorCosts> costs;
  std::vector<std::vector<StorageOption>> items;
  {
    ChunkProgress progress(judged.size());
    for (const size_t i : judged) {
      costs.push_back(probe.measure(tensors[i], types));
      auto& item = items.emplace_back();
      for (const TensorCosts::Option& option : costs.back().options)
        item.push_back({option.n_bytes, option.kl});
      if (!progress.done(costs.size(), "of tensors"))
        throw MachineError("stopped by a signal; nothing is written");
    }
  }

  AutoChoice result;
  std::vector<std::pair<const TensorInfo*, const QuantType*>> stored;
  const auto take = [&](const std::vector<size_t>& chosen) {
    result.choices.assign(standard.begin(), standard.end());
    result.estimated_kl = 0;
    stored.clear();
    for (size_t k = 0; k < judged.size(); ++k) {
      const TensorCosts::Option& option = costs[k].options[chosen[k]];
      result.choices[judged[k]] = {.type = option.type};
      result.estimated_kl += option.kl;
      stored.emplace_back(&tensors[judged[k]], option.type);
    }
    const Estimate kl = probe.kl_of(stored);
    result.measured_kl = kl.value;
    result.measured_error = kl.error;
  };
  if (budget.kl) {
    // The sum over tensors is an estimate: aim anew by how far it was off, until the whole keeps the target.
    double aim = *budget.kl;
    for (int round = 0; round < 4; ++round) {
      take(allocate_cost(items, aim));
      if (result.measured_kl <= *budget.kl) break;
      aim *= 0.97 * *budget.kl / result.measured_kl;
    }
    if (result.measured_kl > *budget.kl)
      throw UsageError(fmt::format("--auto {}: a KL of {:.3g} is the least that was reached", o.budget,
                                   result.measured_kl));
    return result;
  }
  // A size is that of the file; what is no tensor in it, the vocabulary above all, stays as large as it is.
  double n_other_bytes = double(loaded.model().file().n_bytes());
  for (const TensorInfo& tensor : tensors) n_other_bytes -= double(tensor.n_bytes);
  const double most =
      budget.n_bytes ? *budget.n_bytes - n_other_bytes : *budget.bits_per_weight * n_weights / 8;
  double least = n_fixed_bytes;
  for (const auto& item : items)
    least += double(std::min_element(item.begin(), item.end(), [](const auto& a, const auto& b) {
                      return a.n_bytes < b.n_bytes;
                    })->n_bytes);
  if (most < least)
    throw UsageError(fmt::format("--auto {}: the tensors take {:.2f} MB ({:.2f} bpw) in their smallest types",
                                 o.budget, least / 1e6, 8 * least / n_weights));
  take(allocate_bytes(items, uint64_t(most - n_fixed_bytes)));
  return result;
}

}  // namespace assay::cli
