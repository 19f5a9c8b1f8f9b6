// A template and a context from bytes: they render or throw TemplateError, within tight limits.
// Input: the template, a zero byte, the context as JSON (an empty object when it is none).
#include <cstddef>
#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "jinja/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay::jinja;
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  auto context = nlohmann::ordered_json::object();
  if (zero != std::string::npos) {
    // A bounded nesting: the parser of the JSON library and its destructor recurse.
    const auto shallow = [](int depth, nlohmann::ordered_json::parse_event_t, nlohmann::ordered_json&) {
      return depth < 100;
    };
    auto parsed = nlohmann::ordered_json::parse(input.substr(zero + 1), shallow, false);
    if (parsed.is_object()) context = std::move(parsed);
  }
  RenderOptions options;
  options.limits = {.source_bytes = 1 << 16,
                    .parse_depth = 60,
                    .steps = 20'000,
                    .output_bytes = 1 << 16,
                    .string_bytes = 1 << 16,
                    .call_depth = 20,
                    .eval_depth = 400,
                    .value_depth = 60,
                    .range_length = 1000};
  options.trusted_words = {"user"};
  try {
    const Template parsed = Template::parse(input.substr(0, zero), options.limits);
    std::string text;
    for (const Segment& segment : parsed.render_segments(context, options)) text += segment.text;
    if (text.size() > options.limits.output_bytes) __builtin_trap();
  } catch (const TemplateError&) {
  }
  return 0;
}
