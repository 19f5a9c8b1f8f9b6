#include "sampling/params.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "sampling/stage.h"

namespace assay {
namespace {
struct Range {
  const char* field;
  double value, low, high;
};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value == std::floor(value) ? "%.0f" : "%g", value);
  return text;
}

void check_id(const char* field, int32_t id, size_t vocab_size) {
  if (id < 0 || size_t(id) >= vocab_size)
    throw UsageError(std::string(field) + ": token id " + std::to_string(id) +
                     " is outside the vocabulary of " + std::to_string(vocab_size));
}
}  // namespace

void validate(const SamplingParams& p, size_t vocab_size) {
  constexpr double kMaxInt = 0x7fffffff;
  const Range ranges[] = {
      {"temperature", p.temperature, -100, 100},
      {"dynatemp_range", p.dynatemp_range, 0, 100},
      {"dynatemp_exponent", p.dynatemp_exponent, 0, 100},
      {"top_p", p.top_p, 0, 1},
      {"min_p", p.min_p, 0, 1},
      {"typical", p.typical, 0, 1},
      {"top_n_sigma", p.top_n_sigma, -1, 1000},
      {"xtc_probability", p.xtc_probability, 0, 1},
      {"xtc_threshold", p.xtc_threshold, 0, 1},
      {"repeat_last_n", double(p.repeat_last_n), -1, kMaxInt},
      {"repeat_penalty", p.repeat_penalty, 0.01, 100},
      {"presence_penalty", p.presence_penalty, -100, 100},
      {"frequency_penalty", p.frequency_penalty, -100, 100},
      {"dry_multiplier", p.dry_multiplier, 0, 100},
      {"dry_base", p.dry_base, 1, 100},
      {"dry_allowed_length", double(p.dry_allowed_length), 1, kMaxInt},
      {"dry_penalty_last_n", double(p.dry_penalty_last_n), -1, kMaxInt},
  };
  for (const Range& r : ranges)
    if (!(r.value >= double(float(r.low)) && r.value <= double(float(r.high))))  // NaN fails too
      throw UsageError(std::string(r.field) + " is " + number(r.value) + ": must be from " + number(r.low) +
                       " to " + number(r.high));
  for (const LogitBias& bias : p.logit_bias) {
    check_id("logit_bias", bias.id, vocab_size);
    if (!(bias.value < HUGE_VALF))
      throw UsageError("logit_bias of token " + std::to_string(bias.id) +
                       " must be a finite number or -infinity");
  }
  for (const int32_t id : p.dry_breakers) check_id("dry_breakers", id, vocab_size);
  stages_of(p.samplers);
}

LogitBias parse_logit_bias(std::string_view text) {
  const std::string copy(text);  // strtol and strtof want a terminating zero
  const size_t sign = copy.find_first_of("+-", 1);
  const auto starts_number = [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == 'i'; };
  if (!copy.empty() && copy[0] >= '0' && copy[0] <= '9' && sign != std::string::npos &&
      starts_number(copy[sign + 1])) {
    char *id_end = nullptr, *value_end = nullptr;
    const long long id = std::strtoll(copy.c_str(), &id_end, 10);
    const float value = std::strtof(copy.c_str() + sign, &value_end);
    const bool all_read = id_end == copy.c_str() + sign && value_end == copy.c_str() + copy.size();
    if (all_read && id <= 0x7fffffff && value < HUGE_VALF) return {int32_t(id), value};
  }
  throw UsageError("logit bias '" + printable(text) +
                   "': expected a token id, a sign and a number, as in 15043+1.5");
}

std::vector<const Stage*> stages_of(std::string_view order) {
  std::vector<const Stage*> chain;
  while (!order.empty()) {
    const size_t end = order.find(';');
    std::string name;
    for (const char c : order.substr(0, end))
      if (c != ' ') name += c == '-' ? '_' : c;
    order = end == std::string_view::npos ? std::string_view() : order.substr(end + 1);
    if (name.empty()) continue;
    const Stage* found = nullptr;
    std::string known;
    for (const Stage& stage : kStages) {
      if (stage.name == name) found = &stage;
      known.append(known.empty() ? "" : ", ").append(stage.name);
    }
    if (!found) throw UsageError("samplers: no stage named '" + printable(name) + "'; there are " + known);
    for (const Stage* earlier : chain)
      if (earlier == found) throw UsageError("samplers: '" + name + "' is named twice");
    chain.push_back(found);
  }
  return chain;
}

}  // namespace assay
