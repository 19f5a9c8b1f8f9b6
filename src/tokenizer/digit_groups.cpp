#include "tokenizer/digit_groups.h"

#include <utf8proc.h>

#include "tokenizer/utf8.h"

namespace assay {
namespace {

bool is_number(char32_t code_point) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL ||
         category == UTF8PROC_CATEGORY_NO;
}

/// Calls `cut(offset)` at the offsets where pieces end, in ascending order, then appends the pieces.
class Cutter {
 public:
  Cutter(std::string_view text, std::vector<std::string_view>& pieces) : text_(text), pieces_(pieces) {}
  ~Cutter() { cut(text_.size()); }
  void cut(size_t offset) {
    if (offset == last_) return;
    pieces_.push_back(text_.substr(last_, offset - last_));
    last_ = offset;
  }

 private:
  std::string_view text_;
  std::vector<std::string_view>& pieces_;
  size_t last_ = 0;
};

}  // namespace

void split_number_groups(std::string_view text, std::vector<std::string_view>& pieces) {
  Cutter cutter(text, pieces);
  std::vector<size_t> ends;  // of the digits of one run
  for (size_t offset = 0; offset < text.size();) {
    if (!is_number(next_code_point(text, offset))) continue;
    ends.assign(1, offset);
    for (size_t end = offset; end < text.size() && is_number(next_code_point(text, end));)
      ends.push_back(end);
    for (size_t n = ends.size() % 3; n <= ends.size(); n += 3)
      if (n > 0) cutter.cut(ends[n - 1]);
    offset = ends.back();
  }
}

void split_before_thousands(std::string_view text, std::vector<std::string_view>& pieces) {
  Cutter cutter(text, pieces);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (size_t offset = 0; offset < text.size(); ++offset) {
    if (!is_digit(text[offset])) continue;
    size_t end = offset;
    while (end < text.size() && is_digit(text[end])) ++end;
    for (size_t group = offset + (end - offset) % 3; group < end; group += 3) cutter.cut(group);
    offset = end - 1;
  }
}

}  // namespace assay
