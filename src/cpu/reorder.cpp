#include "cpu/reorder.h"

#include <array>

#include "quant/codebooks.h"

namespace assay::cpu {
namespace {

template <class T>
T load(const uint8_t* from) noexcept {
  T x;
  std::memcpy(&x, from, sizeof(T));
  return x;
}
template <class T>
void store(uint8_t* to, T x) noexcept {
  std::memcpy(to, &x, sizeof(T));
}

/// A u32 of IQ2_XXS and IQ3_XXS: four sign codes, here made masks, and the scale, which is returned.
uint32_t split_signs_and_scale(uint32_t word, uint8_t* masks) noexcept {
  for (size_t g = 0; g < 4; ++g) masks[g] = sign_mask(word >> (7 * g));
  return word >> 28;
}

/// The eight trits of an IQ1_S grid entry: one added to each of its bytes -1, 0, 1, with no carry from -1
/// into the next byte.
uint64_t trits_of_entry(uint32_t index) noexcept {
  constexpr uint64_t kTops = 0x8080808080808080;
  const uint64_t entry = kIq1sGrid[index];
  return ((entry & ~kTops) + 0x0101010101010101) ^ (entry & kTops);
}

constexpr size_t kTritGroups = 13;
constexpr size_t kTrits = 20 * kTritGroups;  // the last 4 stand for no weight

/// Five trits as a number in base 3 -> the byte of TQ1_0: the number over 243, rounded up to whole 256ths.
constexpr std::array<uint8_t, 243> kTritBytes = [] {
  std::array<uint8_t, 243> bytes{};
  for (size_t number = 0; number < 243; ++number) bytes[number] = uint8_t((number * 256 + 242) / 243);
  return bytes;
}();
/// Trit n of a byte of TQ1_0, in byte n of the entry.
constexpr std::array<uint64_t, 256> kTritsOfByte = [] {
  std::array<uint64_t, 256> trits{};
  for (size_t byte = 0; byte < 256; ++byte)
    for (size_t n = 0, fraction = byte; n < 5; ++n, fraction = fraction * 3 % 256)
      trits[byte] |= uint64_t(fraction * 3 / 256) << (8 * n);
  return trits;
}();

void store_trits(const uint8_t (&trits)[kTrits], uint8_t* main) noexcept {
  for (size_t w = 0; w < kTritGroups; ++w) {
    uint32_t numbers = 0;  // four bytes, each at most 242
    for (size_t n = 0; n < 5; ++n) numbers = 3 * numbers + load<uint32_t>(trits + 4 * (5 * w + n));
    for (size_t b = 0; b < 4; ++b) main[4 * w + b] = kTritBytes[(numbers >> (8 * b)) & 255];
  }
}

}  // namespace

void reorder_q1_0(const uint8_t* from, uint8_t* main) noexcept {
  for (size_t at = 0; at < 16; at += 4) store(main + at, order_bits(load<uint32_t>(from + at)));
}

void reorder_q2_0(const uint8_t* from, uint8_t* main) noexcept {
  for (size_t at = 0; at < 16; at += 4)
    for (size_t b = 0; b < 4; ++b) {
      int byte = 0;
      for (size_t g = 0; g < 4; ++g) byte |= (from[at + g] >> (2 * b) & 3) << (2 * g);
      main[at + b] = uint8_t(byte);
    }
}

void reorder_iq2_xxs(const uint8_t* from, uint8_t* main) noexcept {
  uint32_t scales = 0;
  for (size_t s = 0; s < 8; ++s) {
    std::memcpy(main + 4 * s, from + 8 * s, 4);
    scales |= split_signs_and_scale(load<uint32_t>(from + 8 * s + 4), main + 32 + 4 * s) << (4 * s);
  }
  store(main + 64, scales);
}

void reorder_iq2_xs(const uint8_t* from, uint8_t* main) noexcept {
  uint32_t top = 0;
  for (size_t g = 0; g < 32; ++g) {
    const uint32_t word = load<uint16_t>(from + 2 * g);
    main[g] = uint8_t(word);
    top |= (word >> 8 & 1) << g;
    main[36 + g] = sign_mask(word >> 9);
  }
  store(main + 32, top);
  std::memcpy(main + 68, from + 64, 8);
}

void reorder_iq3_xxs(const uint8_t* from, uint8_t* main) noexcept {
  std::memcpy(main, from, 64);
  uint32_t scales = 0;
  for (size_t s = 0; s < 8; ++s)
    scales |= split_signs_and_scale(load<uint32_t>(from + 64 + 4 * s), main + 64 + 4 * s) << (4 * s);
  store(main + 96, scales);
}

void reorder_iq1_s(const uint8_t* from, uint8_t* main) noexcept {
  uint8_t trits[kTrits] = {};
  uint32_t scales = 0;
  for (size_t s = 0; s < 8; ++s) {
    const uint32_t high = load<uint16_t>(from + 32 + 2 * s);
    for (size_t g = 0; g < 4; ++g)
      store(trits + 32 * s + 8 * g, trits_of_entry(from[4 * s + g] | (high >> (3 * g) & 7) << 8));
    scales |= (high >> 12) << (4 * s);
  }
  store_trits(trits, main);
  store(main + 52, scales);
}

void reorder_iq1_m(const uint8_t* from, uint8_t* main) noexcept {
  uint8_t trits[kTrits] = {};
  uint32_t shifts = 0;
  for (size_t g = 0; g < 32; ++g) {
    const uint32_t high = uint32_t(from[32 + g / 2]) >> (4 * (g % 2));
    store(trits + 8 * g, trits_of_entry(from[g] | (high & 7) << 8));
    shifts |= (high >> 3 & 1) << g;
  }
  store_trits(trits, main);
  store(main + 52, shifts);
  std::memcpy(main + 56, from + 48, 8);
}

void reorder_tq1_0(const uint8_t* from, uint8_t* main) noexcept {
  uint8_t trits[kTrits] = {};
  for (size_t k = 0; k < 32; ++k)
    for (size_t n = 0; n < 5; ++n) trits[32 * n + k] = uint8_t(kTritsOfByte[from[k]] >> (8 * n));
  for (size_t k = 0; k < 16; ++k)
    for (size_t n = 0; n < 5; ++n) trits[160 + 16 * n + k] = uint8_t(kTritsOfByte[from[32 + k]] >> (8 * n));
  for (size_t k = 0; k < 4; ++k)
    for (size_t n = 0; n < 4; ++n) trits[240 + 4 * n + k] = uint8_t(kTritsOfByte[from[48 + k]] >> (8 * n));
  store_trits(trits, main);
}

}  // namespace assay::cpu
