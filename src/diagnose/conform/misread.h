// Which field of a block an engine reads wrongly, from what it made of blocks that are known.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "quant/table.h"

namespace assay {

/// Whether two weights count as equal: the same number (0 = -0), or both NaN.
bool same_weight(float a, float b);

/// The smallest field of which, in every wrong block that is looked at, some other content gives the engine's
/// answers while the rest of the block stays; "qh", or "scales, its bytes 8..11" when the content differs in
/// those only. The smallest, because it is the one with the least freedom to fit by chance (the codes alone
/// explain many a wrong step); several when they are equally small. None: the rule is wrong rather than the
/// reading of a field, or several fields are.
///
/// The six blocks with most wrong weights are looked at. The content is sought exactly: both bytes at once in
/// a field of two; else all clear, all set, and a byte at a time as long as more weights become right, so
/// that codes may be missed which are wrong in two bytes each. `answers` are n_blocks * block_elems weights.
std::vector<std::string> misread_fields(const QuantType& type, std::span<const std::byte> blocks,
                                        std::span<const float> answers);

}  // namespace assay
