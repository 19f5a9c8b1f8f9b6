// Code points of UTF-8 text, with the classes and case mappings that Python's str methods use.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::jinja {

/// One code point and where its bytes are. A byte that is not UTF-8 counts as one code point, U+FFFD.
struct CodePoint {
  char32_t value;
  size_t begin, end;
};

/// The code point at byte `offset` < text.size().
CodePoint code_point_at(std::string_view text, size_t offset);
std::vector<CodePoint> code_points(std::string_view text);
size_t count_code_points(std::string_view text);
bool is_valid_utf8(std::string_view text);
void append_utf8(std::string& out, char32_t code_point);

bool is_space(char32_t c);       // str.isspace, and \s of Python's patterns
bool is_alpha(char32_t c);       // str.isalpha
bool is_decimal(char32_t c);     // str.isdecimal
bool is_digit(char32_t c);       // str.isdigit
bool is_numeric(char32_t c);     // str.isnumeric
bool is_upper(char32_t c);       // an upper-case letter
bool is_lower(char32_t c);       // a lower-case letter
bool is_title(char32_t c);       // a title-case letter such as U+01C5
bool is_printable(char32_t c);   // str.isprintable: what repr() shows as it is
bool is_name_start(char32_t c);  // may begin an identifier
bool is_name_part(char32_t c);   // may follow in an identifier

/// Simple case mappings of Unicode, and U+00DF to "SS" or "Ss"; Python's other one-to-many mappings
/// (ligatures, Greek with iota subscript) are left as they are.
void append_upper(std::string& out, char32_t c);
void append_lower(std::string& out, char32_t c);
void append_title(std::string& out, char32_t c);

}  // namespace assay::jinja
