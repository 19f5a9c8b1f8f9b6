#include "tokenizer/newer_characters.h"

#include <algorithm>
#include <iterator>

#include "tokenizer/utf8.h"

namespace assay {
namespace {

// One old character of each category, of four bytes.
constexpr char32_t kLetter = 0x10280, kMark = 0x11001, kNumber = 0x11066, kPunctuation = 0x11047,
                   kSymbol = 0x1F600;

struct Addition {
  char32_t first, last, stand_in;  // a stand-in of its own where a pattern of the table names the block
};
// Source: UnicodeData.txt of 15.1.0 against 14.0.0, without the new format characters (no pattern tells those
// from unassigned ones).
constexpr Addition kAdditions[] = {
    // clang-format off
    {0x00CF3, 0x00CF3, 0x0CBE}, {0x00ECE, 0x00ECE, 0x0ECD}, {0x02FFC, 0x02FFF, 0x2FFB},
    {0x031EF, 0x031EF, 0x31E3}, {0x10EFD, 0x10EFF, kMark}, {0x1123F, 0x11240, kLetter},
    {0x11241, 0x11241, kMark}, {0x11B00, 0x11B09, kPunctuation}, {0x11F00, 0x11F01, kMark},
    {0x11F02, 0x11F02, kLetter}, {0x11F03, 0x11F03, kMark}, {0x11F04, 0x11F10, kLetter},
    {0x11F12, 0x11F33, kLetter}, {0x11F34, 0x11F3A, kMark}, {0x11F3E, 0x11F42, kMark},
    {0x11F43, 0x11F4F, kPunctuation}, {0x11F50, 0x11F59, kNumber}, {0x1342F, 0x1342F, kLetter},
    {0x13440, 0x13440, kMark}, {0x13441, 0x13446, kLetter}, {0x13447, 0x13455, kMark},
    {0x1B132, 0x1B132, kLetter}, {0x1B155, 0x1B155, kLetter}, {0x1D2C0, 0x1D2D3, kNumber},
    {0x1DF25, 0x1DF2A, kLetter}, {0x1E030, 0x1E06D, kLetter}, {0x1E08F, 0x1E08F, kMark},
    {0x1E4D0, 0x1E4EB, kLetter}, {0x1E4EC, 0x1E4EF, kMark}, {0x1E4F0, 0x1E4F9, kNumber},
    {0x1F6DC, 0x1F6DC, kSymbol}, {0x1F774, 0x1F776, kSymbol}, {0x1F77B, 0x1F77F, kSymbol},
    {0x1F7D9, 0x1F7D9, kSymbol}, {0x1FA75, 0x1FA77, kSymbol}, {0x1FA87, 0x1FA88, kSymbol},
    {0x1FAAD, 0x1FAAF, kSymbol}, {0x1FABB, 0x1FABD, kSymbol}, {0x1FABF, 0x1FABF, kSymbol},
    {0x1FACE, 0x1FACF, kSymbol}, {0x1FADA, 0x1FADB, kSymbol}, {0x1FAE8, 0x1FAE8, kSymbol},
    {0x1FAF7, 0x1FAF8, kSymbol}, {0x2B739, 0x2B739, 0x2B738}, {0x2EBF0, 0x2EE5D, kLetter},
    {0x31350, 0x323AF, kLetter},
    // clang-format on
};

}  // namespace

std::string replace_newer_characters(std::string_view text) {
  std::string replaced;
  for (size_t offset = 0; offset < text.size();) {
    const size_t begin = offset;
    if (static_cast<unsigned char>(text[offset]) < 0xE0) {
      ++offset;
      continue;
    }
    const char32_t c = next_code_point(text, offset);
    const Addition* found = std::partition_point(std::begin(kAdditions), std::end(kAdditions),
                                                 [c](const Addition& a) { return a.last < c; });
    if (found == std::end(kAdditions) || c < found->first) continue;
    if (replaced.empty()) replaced = text;
    std::string stand_in;
    append_utf8(stand_in, found->stand_in);
    replaced.replace(begin, stand_in.size(), stand_in);
  }
  return replaced;
}

}  // namespace assay
