// strftime of Python, in the C locale, whatever the locale of the process.
#pragma once
#include <ctime>
#include <string>
#include <string_view>

namespace assay::jinja {

/// `format` with its % conversions replaced; `%-d` and its like leave out padding. Throws Fault on a
/// conversion that needs a time zone or locale tables.
std::string format_time(std::string_view format, const std::tm& time);

}  // namespace assay::jinja
