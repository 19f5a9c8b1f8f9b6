// Jinja as chat templates use it: a sandboxed interpreter that renders as apply_chat_template of Hugging Face
// transformers does (Jinja2 3.1 ImmutableSandboxedEnvironment, trim_blocks, lstrip_blocks, loop controls, its
// tojson, raise_exception, strftime_now and generation tag). It differs where Python leaves the sandbox:
// integers have 64 bits, `attr`, `random` and `lipsum` are refused, only `+` heeds what `safe` and `escape`
// mark, and only data and the listed methods can be read.
#pragma once
#include <ctime>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "jinja/limits.h"
#include "jinja/template_error.h"
#include "jinja/text.h"

namespace assay::jinja {

struct RenderOptions {
  Limits limits{};
  /// What strftime_now() shows: tm_year to tm_yday, as localtime gives them. No clock is read.
  std::tm now{};
  /// Variables whose strings count as text of the template, such as bos_token. They win over the context.
  nlohmann::ordered_json trusted_variables = nlohmann::ordered_json::object();
  /// A context string that equals one of these counts as text of the template, such as the role "user".
  std::set<std::string> trusted_words{};
};

/// A parsed template. Immutable; copies share the tree; may be rendered by several threads at once.
class Template {
 public:
  /// Throws TemplateError: syntax, limit, unsupported.
  static Template parse(const std::string& source, const Limits& limits = {});

  /// The rendered text. `context`: a JSON object of the variables. Throws TemplateError.
  std::string render(const nlohmann::ordered_json& context, const RenderOptions& options = {}) const;
  /// The same text in pieces: what came from the template and what came from the context.
  std::vector<Segment> render_segments(const nlohmann::ordered_json& context,
                                       const RenderOptions& options = {}) const;

  const std::string& source() const;

 private:
  struct Parsed;
  explicit Template(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
  Text render_text(const nlohmann::ordered_json& context, const RenderOptions& options) const;

  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace assay::jinja
