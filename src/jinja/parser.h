// Tokens -> tree, by the grammar of Jinja2 3.1 with loop controls and the `generation` tag of transformers.
#pragma once
#include <string>

#include "jinja/ast.h"
#include "jinja/limits.h"

namespace assay::jinja {

/// Parses a normalized source. Throws TemplateError: syntax; limit (nesting); unsupported (include, import,
/// extends, autoescape).
Body parse(const std::string& source, const Limits& limits);

}  // namespace assay::jinja
