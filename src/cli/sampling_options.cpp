#include "cli/sampling_options.h"

#include "sampling/rng.h"

namespace assay::cli {

void add_sampling_options(CLI::App& app, SamplingOptions& o) {
  SamplingParams& p = o.params;
  const char* const kGroup = "Sampling";
  const auto add = [&](const char* name, auto& value, const char* help) {
    app.add_option(name, value, help)->group(kGroup)->capture_default_str();
  };
  app.add_option("-s,--seed", o.seed, "Seed of the random numbers (default: a new one each time)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N")
      ->group(kGroup);
  add("--temp", p.temperature, "Temperature; 0 always takes the likeliest token");
  add("--top-k", p.top_k, "Keep the k likeliest; 0: all");
  add("--top-p", p.top_p, "Keep the likeliest that together reach p; 1: all");
  add("--min-p", p.min_p, "Keep those at least p times as likely as the likeliest; 0: all");
  add("--typical", p.typical, "Keep the most typical that together reach p; 1: all");
  add("--repeat-penalty", p.repeat_penalty, "Divide the logits of recent tokens; 1: off");
  add("--repeat-last-n", p.repeat_last_n, "Tokens that the penalties look back on; 0: off, -1: all");
  add("--presence-penalty", p.presence_penalty, "Subtract from the logits of recent tokens; 0: off");
  add("--frequency-penalty", p.frequency_penalty, "The same, for each time that they occur; 0: off");
  add("--top-nsigma", p.top_n_sigma, "Keep logits within n standard deviations of the best; -1: all");
  add("--xtc-probability", p.xtc_probability, "Chance of taking the likeliest tokens away; 0: off");
  add("--xtc-threshold", p.xtc_threshold, "Those at least this likely, but the last of them; above 0.5: off");
  add("--dynatemp-range", p.dynatemp_range, "Vary the temperature by this much with the entropy; 0: off");
  add("--dynatemp-exp", p.dynatemp_exponent, "Exponent of the entropy");
  add("--dry-multiplier", p.dry_multiplier, "Penalty for going on with what was said before; 0: off");
  add("--dry-base", p.dry_base, "Growth of that penalty with each repeated token");
  add("--dry-allowed-length", p.dry_allowed_length, "Repeated tokens that cost nothing");
  add("--dry-penalty-last-n", p.dry_penalty_last_n, "Tokens that it looks back on; 0: off, -1: all");
  app.add_option("--dry-sequence-breaker", o.dry_breakers,
                 "No repetition reaches across tokens with this text (default: newline, : \" *); may be "
                 "repeated; none: no breaker")
      ->check([](const std::string& text) { return text.empty() ? "is empty" : ""; }, "")
      ->option_text("TEXT")
      ->group(kGroup)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  add("--samplers", p.samplers, "The stages, in order; what is not named is off");
  app.add_option("--logit-bias", o.logit_bias,
                 "Add VALUE to a token's logit; ID-inf forbids it; may be repeated")
      ->option_text("ID+VALUE")
      ->group(kGroup)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_flag("--ignore-eos", o.ignore_eos, "Never end the text by itself")->group(kGroup);
}

SamplingParams make_sampling_params(const SamplingOptions& o) {
  SamplingParams params = o.params;
  params.seed = o.seed ? *o.seed : entropy_seed();
  for (const std::string& text : o.logit_bias) params.logit_bias.push_back(parse_logit_bias(text));
  return params;
}

}  // namespace assay::cli
