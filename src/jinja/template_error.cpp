#include "jinja/template_error.h"

#include <algorithm>
#include <utility>

#include "base/load_error.h"

namespace assay::jinja {
namespace {
constexpr size_t kExcerptBytes = 80;

std::string message(size_t line, size_t column, const std::string& problem, const std::string& expression) {
  std::string text = "line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + problem;
  if (!expression.empty()) text += ", in \"" + expression + "\"";
  return text;
}
}  // namespace

const char* error_kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::syntax:
      return "syntax";
    case ErrorKind::runtime:
      return "runtime";
    case ErrorKind::raised:
      return "raised";
    case ErrorKind::limit:
      return "limit";
    case ErrorKind::unsupported:
      return "unsupported";
  }
  return "";
}

TemplateError::TemplateError(ErrorKind error_kind, size_t at_line, size_t at_column,
                             const std::string& what_is_wrong, const std::string& at_expression)
    : std::runtime_error(message(at_line, at_column, what_is_wrong, at_expression)),
      kind(error_kind),
      line(at_line),
      column(at_column),
      problem(what_is_wrong),
      expression(at_expression) {}

void fail(std::string problem) {
  throw Fault{ErrorKind::runtime, std::move(problem)};
}
void fail_limit(std::string problem) {
  throw Fault{ErrorKind::limit, std::move(problem)};
}
void refuse(std::string problem) {
  throw Fault{ErrorKind::unsupported, std::move(problem)};
}

TemplateError error_at(const std::string& source, size_t offset, size_t end, const Fault& fault) {
  offset = std::min(offset, source.size());
  end = std::clamp(end, offset, source.size());
  const auto begin = source.begin();
  const auto place = begin + std::ptrdiff_t(offset);
  const size_t line = 1 + size_t(std::count(begin, place, '\n'));
  const size_t newline = offset == 0 ? std::string::npos : source.rfind('\n', offset - 1);
  const size_t line_start = newline == std::string::npos ? 0 : newline + 1;
  const size_t column = 1 + size_t(std::count_if(begin + std::ptrdiff_t(line_start), place,
                                                 [](char c) { return (c & 0xC0) != 0x80; }));
  return TemplateError(fault.kind, line, column, fault.problem,
                       printable(source.substr(offset, end - offset), kExcerptBytes));
}

}  // namespace assay::jinja
