// Numbers as Python reads, prints and rounds them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace assay::jinja {

/// repr(float): the shortest digits that read back as `value`; exponent form below 1e-4 and from 1e16.
std::string float_repr(double value);

/// int(text, base): surrounding spaces, a sign and single underscores allowed, base 0 or 2 to 36 (0 reads a
/// prefix). nullopt when Python raises ValueError. Throws Fault when the number does not fit 64 bits.
std::optional<int64_t> parse_integer(std::string_view text, int base);
/// float(text): surrounding spaces, a sign, single underscores, inf, infinity and nan allowed.
std::optional<double> parse_float(std::string_view text);

/// int(value) for a float. Throws Fault: infinity, too large; nullopt for NaN.
std::optional<int64_t> truncate_float(double value);
/// round(value, n_digits), halves of the exact binary value to even.
double round_float(double value, int64_t n_digits);

}  // namespace assay::jinja
