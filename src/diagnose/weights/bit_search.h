// Which stored bits of a block a wrong number speaks of.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "diagnose/weights/judged.h"
#include "quant/fields.h"

namespace assay {

/// Bits of a block: byte -> mask.
using BitSet = std::map<size_t, uint8_t>;
/// "qh (bytes 16-47, bit 2)", with the fields that the bits are in.
std::string bits_text(const QuantType& type, const BitSet& bits);

/// The bits of a block of `type` that `changes` says yes to, given the integers of some blocks before and
/// after one bit is flipped. Types with integers.
BitSet bits_that_change(
    const JudgedWeights& judged, std::span<const size_t> blocks,
    const std::function<bool(const IntegerBlock& before, const IntegerBlock& after)>& changes);

/// Wrong numbers by the field in which one flipped bit would give what was dumped, and which bits those are.
struct FlipCounts {
  size_t n_wrong = 0;
  std::map<std::string_view, size_t> n_explained;  // by field
  std::map<std::string_view, BitSet> bits;
};
FlipCounts count_flips(const JudgedWeights& judged, const Decoded& truth, std::span<const size_t> blocks,
                       DumpRounding rounding);

}  // namespace assay
