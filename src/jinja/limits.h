// What a template may cost. A chat template comes with a model file, so it is as hostile as the file.
#pragma once
#include <cstddef>

namespace assay::jinja {

/// Bounds of one parse and one render. Exceeding any of them is a TemplateError of kind limit.
struct Limits {
  size_t source_bytes = size_t(1) << 20;  // template text
  size_t parse_depth = 200;               // nesting of expressions and statements in the source
  size_t steps = 10'000'000;              // nodes evaluated, items produced, and every 16 bytes of text built
  size_t output_bytes = size_t(32) << 20;  // rendered text
  size_t string_bytes = size_t(32) << 20;  // one string
  size_t call_depth = 100;                 // macros, callers and recursive loops inside one another
  size_t eval_depth = 2000;                // evaluation steps inside one another, calls included
  size_t value_depth = 200;                // lists and dicts inside one another
  size_t range_length = 100'000;           // range(): Jinja2's own sandbox limit
};

}  // namespace assay::jinja
