// UTF-8 (RFC 3629): checking, reading and writing characters.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace assay {

/// What stands at the start of some bytes.
struct Utf8Step {
  enum class Kind : uint8_t { valid, truncated, invalid };
  Kind kind = Kind::valid;
  uint8_t n_bytes = 0;  // of the character; else of the longest prefix that could begin one, at least 1
};

/// Looks at the first character of `text`, which is not empty. `truncated` means that more bytes could make
/// it valid.
Utf8Step utf8_step(std::string_view text) noexcept;

/// Offset of the first byte that does not belong to a valid character; npos when all of `text` is valid.
size_t find_invalid_utf8(std::string_view text) noexcept;

/// Bytes of the character that `lead` begins, by its high bits alone: 1 to 4 (1 for a byte that begins none).
size_t utf8_length(char lead) noexcept;

/// The code point at `offset`, which moves past it; U+FFFD for one byte that is not valid UTF-8.
char32_t next_code_point(std::string_view text, size_t& offset) noexcept;

/// Appends a code point below 0x110000.
void append_utf8(std::string& text, char32_t code_point);

}  // namespace assay
