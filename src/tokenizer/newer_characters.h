// Characters that Unicode 15.0 and 15.1 added, for regular expressions that know Unicode 14 only.
#pragma once
#include <string>
#include <string_view>

namespace assay {

/// `text` (valid UTF-8) with each character that Unicode 15.0 and 15.1 added replaced by an older one of the
/// same category and as many bytes; empty when it has none. llama.cpp v0.5.0 knows Unicode 15.1, PCRE2 10.42
/// (Debian 12) knows 14.0: so both see the same letters, marks, numbers, punctuation and symbols. What later
/// versions added is unassigned to llama.cpp, and is what the installed PCRE2 says to us.
std::string replace_newer_characters(std::string_view text);

}  // namespace assay
