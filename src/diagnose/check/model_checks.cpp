// Checks of the model: do its tensors and its keys make the computation that its architecture is?
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diagnose/check/check.h"

namespace assay {
namespace {

using enum CheckStatus;

CheckResult run_model(const CheckSubject& s) {
  CheckResult result;
  if (!s.model) {
    result.say(fault, s.model_error);
    return result;
  }
  const Hparams& h = s.model->hparams();
  result.say(
      ok,
      fmt::format(
          "{}: {} layers, width {}, {} heads over {}, vocabulary {}, context {}; every tensor has the shape "
          "that these ask for",
          printable(h.arch), h.n_layers, h.d_model, h.n_heads, h.n_kv_heads, h.vocab_size, h.n_ctx_train));
  for (const std::string& text : s.model->warnings()) result.say(warning, text);
  return result;
}

CheckResult run_rope(const CheckSubject& s) {
  if (!s.model) return CheckResult::skip("the model does not load");
  const Hparams& h = s.model->hparams();
  if (h.rope.frequencies.empty()) return CheckResult::skip("the architecture does not rotate");
  const Metadata& metadata = s.file->metadata();
  const auto key = [&](std::string_view name) { return h.arch + ".rope." + std::string(name); };
  CheckResult result;
  if (const auto base = metadata.find_float(key("freq_base"))) {
    result.say(
        ok, fmt::format("base {:g}, {} of {} dimensions", *base, 2 * h.rope.frequencies.size(), h.head_dim));
    if (*base < 100)
      result.say(fault, fmt::format("{} is {:g}: no model has so small a base", key("freq_base"), *base));
  } else {
    result.say(warning, key("freq_base") + " is missing: readers take 10000");
  }
  if (!metadata.contains(key("dimension_count")))
    result.say(warning,
               fmt::format("{} is missing: readers take the head's {}", key("dimension_count"), h.head_dim));
  const auto type = metadata.find_string(key("scaling.type"));
  const auto factor = metadata.find_float(key("scaling.factor"));
  const auto original = metadata.find_uint(key("scaling.original_context_length"));
  if (type && *type != "none" && *type != "longrope" && !factor)
    result.say(warning, fmt::format("{} is {} without {}", key("scaling.type"), printable(*type),
                                    key("scaling.factor")));
  if (type && *type == "yarn") {
    if (!original)
      result.say(warning,
                 key("scaling.original_context_length") + " is missing: YaRN then takes the context for it");
    else if (factor && std::abs(double(*original) * *factor / double(h.n_ctx_train) - 1) > 0.25)
      result.say(warning, fmt::format("an original context of {} times {:g} is not the context of {}",
                                      *original, *factor, h.n_ctx_train));
  }
  return result;
}

}  // namespace

extern const Check check_model{
    "model", "the architecture is known, every tensor is there, shaped and oriented as its keys say",
    run_model};
extern const Check check_rope{"rope", "RoPE's keys are there and agree", run_rope};

}  // namespace assay
