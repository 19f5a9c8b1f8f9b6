#include "jinja/template.h"

#include <utility>

#include "jinja/ast.h"
#include "jinja/functions.h"
#include "jinja/interpreter.h"
#include "jinja/json_text.h"
#include "jinja/lexer.h"
#include "jinja/parser.h"

namespace assay::jinja {

struct Template::Parsed {
  std::string source;  // normalized
  Body body;
};

Template Template::parse(const std::string& source, const Limits& limits) {
  auto parsed = std::make_shared<Parsed>();
  parsed->source = normalized_source(source);
  parsed->body = jinja::parse(parsed->source, limits);
  return Template(std::move(parsed));
}

const std::string& Template::source() const {
  return parsed_->source;
}

Text Template::render_text(const nlohmann::ordered_json& context, const RenderOptions& options) const {
  Interpreter interpreter(parsed_->source, options.limits, options.now);
  auto& variables = interpreter.root().variables;
  add_functions(variables);
  try {
    Meter& meter = interpreter.runtime().meter;
    for (auto item = context.begin(); item != context.end(); ++item)
      variables.insert_or_assign(item.key(), from_json(meter, item.value(), true, options.trusted_words));
    for (auto item = options.trusted_variables.begin(); item != options.trusted_variables.end(); ++item)
      variables.insert_or_assign(item.key(), from_json(meter, item.value(), false, options.trusted_words));
  } catch (const Fault& fault) {
    throw error_at(parsed_->source, 0, 0, {fault.kind, "context: " + fault.problem});
  }
  return interpreter.render(parsed_->body);
}

std::string Template::render(const nlohmann::ordered_json& context, const RenderOptions& options) const {
  return render_text(context, options).bytes();
}

std::vector<Segment> Template::render_segments(const nlohmann::ordered_json& context,
                                               const RenderOptions& options) const {
  return render_text(context, options).segments();
}

}  // namespace assay::jinja
