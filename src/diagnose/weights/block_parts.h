// One wrong block explained: by the scale, the min, the codes, the order, the block's d.
#pragma once
#include <cstdint>
#include <map>
#include <set>

#include "diagnose/weights/judged.h"

namespace assay {

/// What of w = d * scale * q - dmin * min has to change to give what was dumped.
enum class BlockPart : uint8_t { d, scale, min, scale_and_min, codes, order, other };
std::string_view part_name(BlockPart part) noexcept;

/// Sub-blocks by the part that explains them, over many blocks.
struct PartCounts {
  std::map<BlockPart, size_t> n_sub_blocks;
  std::map<BlockPart, std::set<size_t>> sub_blocks;  // which of the block's
  std::map<int, size_t> code_errors;                 // dumped code - stored code -> weights
  struct Example {
    size_t block, sub_block;
    double read, stored;
  };
  std::map<BlockPart, Example> examples;  // scale: what was read for it, what is stored; min and d likewise
};

/// Explains each wrong sub-block of some blocks of a type with integers by the least change that gives every
/// number of it.
PartCounts explain_blocks(const JudgedWeights& judged, const Decoded& truth, std::span<const size_t> blocks,
                          DumpRounding rounding);

}  // namespace assay
