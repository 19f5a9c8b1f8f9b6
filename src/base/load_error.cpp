#include "base/load_error.h"

namespace assay {
namespace {

constexpr size_t kMaxPathShown = 1000;

/// Bytes of the UTF-8 sequence that `text` begins with, and its code point; 0 bytes when the sequence is not
/// valid.
struct Sequence {
  size_t n_bytes = 0;
  uint32_t code_point = 0;
};

Sequence first_sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  const size_t n_bytes = lead >= 0xf8 ? 0 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (n_bytes == 0 || n_bytes > text.size()) return {};
  uint32_t code_point = lead & (0x7fu >> n_bytes);
  for (size_t i = 1; i < n_bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code_point = code_point << 6 | (byte(i) & 0x3fu);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < kSmallest[n_bytes] || code_point > 0x10ffff || surrogate) return {};
  return {n_bytes, code_point};
}

/// Control characters, and the direction and line marks that let a terminal show a text as another one.
bool moves_or_hides_text(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

void append_escaped(std::string& out, std::string_view bytes) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  }
}

}  // namespace

LoadError::LoadError(Place p, const std::string& problem)
    : std::runtime_error(printable(p.file, kMaxPathShown) + ": " + p.item + " at byte " +
                         std::to_string(p.offset) + ": " + problem),
      place(std::move(p)) {}

std::string printable(std::string_view text, size_t max_bytes) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const Sequence sequence = first_sequence(text.substr(i));
    const std::string_view bytes = text.substr(i, sequence.n_bytes == 0 ? 1 : sequence.n_bytes);
    if (i + bytes.size() > max_bytes) return out + "...";
    if (sequence.n_bytes == 0 || moves_or_hides_text(sequence.code_point)) {
      append_escaped(out, bytes);
    } else {
      out += bytes;
    }
    i += bytes.size();
  }
  return out;
}

}  // namespace assay
