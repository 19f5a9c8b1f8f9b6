// The characters by which byte-level BPE writes bytes, and the mark for spaces elsewhere. Source: GPT-2's
// encoder.py (bytes_to_unicode): printable Latin-1 stands for itself, the other bytes for U+0100 onwards, in
// order.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace assay {

/// U+2581, which stands for a space in token texts of sentencepiece and wordpiece vocabularies.
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

namespace byte_alphabet_detail {
constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}
constexpr std::array<char32_t, 256> make_characters() {
  std::array<char32_t, 256> characters{};
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) characters[byte] = stands_for_itself(byte) ? byte : next++;
  return characters;
}
}  // namespace byte_alphabet_detail

/// The character of each byte.
inline constexpr std::array<char32_t, 256> kByteCharacters = byte_alphabet_detail::make_characters();

namespace byte_alphabet_detail {
constexpr size_t kCharacterEnd = 0x144;  // past the last of them
constexpr std::array<int16_t, kCharacterEnd> make_bytes() {
  std::array<int16_t, kCharacterEnd> bytes{};
  for (int16_t& byte : bytes) byte = -1;
  for (int16_t byte = 0; byte < 256; ++byte) bytes[kByteCharacters[static_cast<size_t>(byte)]] = byte;
  return bytes;
}
inline constexpr std::array<int16_t, kCharacterEnd> kBytes = make_bytes();
}  // namespace byte_alphabet_detail

/// The byte of a character; -1 when it stands for none.
constexpr int byte_of_character(char32_t character) {
  return character < byte_alphabet_detail::kCharacterEnd ? byte_alphabet_detail::kBytes[character] : -1;
}

static_assert(kByteCharacters[' '] == 0x120 && kByteCharacters['\n'] == 0x10A &&
              kByteCharacters[0xAD] == 0x143);

}  // namespace assay
