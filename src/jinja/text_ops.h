// Operations on text that filters and methods share. Offsets are bytes; taint flags travel with the bytes.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/text.h"
#include "jinja/value.h"

namespace assay::jinja {

enum class Side { left, right, both };

/// str.strip: characters of `chars`, or white space without it.
Text strip(const Text& text, Side side, const std::optional<std::string>& chars);
/// str.replace; `count` < 0 replaces all.
Text replace(Meter& meter, const Text& text, const Text& from, const Text& to, int64_t count);
/// str.split(separator, at_most): `at_most` < 0 splits at all places; no separator: at runs of white space.
std::vector<Text> split(const Text& text, const std::optional<std::string>& separator, int64_t at_most);
/// str.rsplit: as split, from the right.
std::vector<Text> split_right(const Text& text, const std::optional<std::string>& separator, int64_t at_most);
std::vector<Text> split_lines(const Text& text, bool keep_ends);

Text to_upper(const Text& text);
Text to_lower(const Text& text);
Text swap_case(const Text& text);
/// First character in title case, the rest in lower case.
Text capitalize(const Text& text);
/// str.title: the first letter of every run of letters.
Text title(const Text& text);
Text reversed(const Text& text);
/// & < > ' " as HTML entities.
Text html_escaped(const Text& text);

/// Text padded with `fill` to `width` characters; Side::both as str.center does.
Text padded(Meter& meter, const Text& text, int64_t width, Side text_side, std::string_view fill);

/// A list of strings.
Value text_list(Meter& meter, std::vector<Text> parts, List::Kind kind = List::Kind::list);

}  // namespace assay::jinja
