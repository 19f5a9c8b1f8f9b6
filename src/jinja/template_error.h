// The one exception that templates cause.
#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>

namespace assay::jinja {

enum class ErrorKind {
  syntax,       // the source does not follow the grammar
  runtime,      // what Python would raise while rendering
  raised,       // the template called raise_exception()
  limit,        // a Limits value was exceeded
  unsupported,  // Jinja has it, the sandbox refuses it (include, lipsum, random, ...)
};

/// Names an ErrorKind for messages and JSON: "syntax", "runtime", ...
const char* error_kind_name(ErrorKind kind);

/// what() is `line L, column C: problem, in "EXPRESSION"`; the expression is left out where there is none.
struct TemplateError : std::runtime_error {
  TemplateError(ErrorKind kind, size_t line, size_t column, const std::string& problem,
                const std::string& expression);
  ErrorKind kind;
  size_t line, column;     // from 1; columns count code points
  std::string problem;     // what is wrong, without the place
  std::string expression;  // source text at fault, printable and shortened; may be empty
};

/// A problem whose place is not known yet: thrown by values, filters and methods, turned into a TemplateError
/// by the interpreter at the innermost expression. Never leaves this folder.
struct Fault {
  ErrorKind kind;
  std::string problem;
};
[[noreturn]] void fail(std::string problem);
[[noreturn]] void fail_limit(std::string problem);
[[noreturn]] void refuse(std::string problem);

/// Turns byte `offset` of `source` into a TemplateError; [offset, end) is the expression at fault (may be
/// empty).
TemplateError error_at(const std::string& source, size_t offset, size_t end, const Fault& fault);

}  // namespace assay::jinja
