#include "jinja/call.h"

#include <algorithm>

namespace assay::jinja {
namespace {

struct Parameter {
  std::string_view name;
  bool required;
};

struct Signature {
  std::vector<Parameter> parameters;
  bool positional_only = false, rest_args = false, rest_kwargs = false;
};

Signature parse_signature(std::string_view text) {
  Signature signature;
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    if (word == "/")
      signature.positional_only = true;
    else if (word == "*")
      signature.rest_args = true;
    else if (word == "**")
      signature.rest_kwargs = true;
    else if (word.back() == '=')
      signature.parameters.push_back({word.substr(0, word.size() - 1), false});
    else
      signature.parameters.push_back({word, true});
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return signature;
}

}  // namespace

Args::Args(const Call& call, std::string_view signature_text, std::string_view function) {
  const Signature signature = parse_signature(signature_text);
  const auto& parameters = signature.parameters;
  const std::string callee = std::string(function) + "()";
  values_.resize(parameters.size());
  for (size_t i = 0; i < call.args.size(); ++i) {
    if (i < parameters.size())
      values_[i] = call.args[i];
    else if (signature.rest_args)
      rest_.args.push_back(call.args[i]);
    else
      fail(callee + " takes at most " + std::to_string(parameters.size()) + " arguments, " +
           std::to_string(call.args.size()) + " given");
  }
  for (const auto& kwarg : call.kwargs) {
    const auto parameter = std::find_if(parameters.begin(), parameters.end(),
                                        [&](const Parameter& p) { return p.name == kwarg.first; });
    if (parameter != parameters.end() && !signature.positional_only) {
      auto& value = values_[size_t(parameter - parameters.begin())];
      if (value) fail(callee + " got two values for argument '" + kwarg.first + "'");
      value = kwarg.second;
    } else if (signature.rest_kwargs) {
      rest_.kwargs.push_back(kwarg);
    } else {
      fail(callee + " takes no keyword argument '" + kwarg.first + "'");
    }
  }
  for (size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].required && !values_[i])
      fail(callee + " needs argument '" + std::string(parameters[i].name) + "'");
}

int64_t Args::integer(size_t i, int64_t otherwise) const {
  if (!passed(i)) return otherwise;
  require_defined(*values_[i]);
  const auto value = values_[i]->as_index();
  if (!value) fail("'" + values_[i]->type_name() + "' object cannot be interpreted as an integer");
  return *value;
}

const Text& Args::text(size_t i) const {
  require_defined(*values_[i]);
  const auto* text = values_[i]->as<Text>();
  if (!text) fail("expected a string, got '" + values_[i]->type_name() + "'");
  return *text;
}

Value invoke(Runtime& runtime, const Builtin& builtin, const Value& self, const Call& call) {
  return builtin.apply(runtime, self, Args(call, builtin.signature, builtin.name));
}

}  // namespace assay::jinja
