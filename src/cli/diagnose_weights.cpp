// assay diagnose --weights DUMP --tensor NAME [--rows A:B]
#include <charconv>
#include <memory>
#include <optional>

#include "base/load_error.h"
#include "cli/diagnose_options.h"
#include "diagnose/inspect.h"
#include "diagnose/weights/weights_finding.h"
#include "model/model.h"

namespace assay::cli {
namespace {

std::optional<std::pair<uint64_t, uint64_t>> parse_rows(const std::string& text) {
  if (text.empty()) return std::nullopt;
  uint64_t numbers[2] = {};
  const size_t colon = text.find(':');
  const std::string_view parts[2] = {
      std::string_view(text).substr(0, colon),
      colon == std::string::npos ? std::string_view() : std::string_view(text).substr(colon + 1)};
  for (size_t k = 0; k < 2; ++k) {
    const auto [end, error] = std::from_chars(parts[k].data(), parts[k].data() + parts[k].size(), numbers[k]);
    if (error != std::errc() || end != parts[k].data() + parts[k].size())
      throw UsageError("--rows \"" + printable(text) + "\": give A:B, two row numbers, B not included");
  }
  return std::pair(numbers[0], numbers[1]);
}

Finding run(const DiagnoseOptions& o) {
  if (o.tensor.empty())
    throw UsageError("--weights: which tensor is it? Give --tensor NAME, as `assay inspect` lists them");
  const GgufFile file = GgufFile::open(o.model.path);
  const TensorInfo& info = need_tensor(file, o.tensor);
  // Heads are known only of files that Assay can run; the others are judged without.
  std::unique_ptr<const Model> model;
  std::string why_not;
  try {
    model = std::make_unique<Model>(GgufFile::open(o.model.path));
  } catch (const LoadError& error) {
    why_not = error.what();
  }
  const Dump dump = Dump::open(o.weights);
  Finding finding = judge_weights({file, info, model ? &model->hparams() : nullptr}, dump,
                                  dump.need(o.tensor), parse_rows(o.rows), o.hidden());
  if (!model)
    finding.refusals.push_back("faults of heads: the file is no model that Assay runs (" + why_not + ")");
  return finding;
}

}  // namespace

extern const DiagnoseMode diagnose_mode_weights{"--weights", &DiagnoseOptions::weights, run};

}  // namespace assay::cli
