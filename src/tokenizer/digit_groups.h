// Cutting numbers into groups of three digits, counted from the right.
#pragma once
#include <string_view>
#include <vector>

namespace assay {

/// Cuts after the first (length mod 3) digits of every run of numbers (category N) and after each three that
/// follow; text before a run stays with its first piece, as in llama.cpp's splitter for AFMoE. A
/// SplitFunction.
void split_number_groups(std::string_view text, std::vector<std::string_view>& pieces);

/// Cuts before each group of three ASCII digits that, with the groups after it, ends its run:
/// (?=(\d{3})+(?!\d)), in linear time. A SplitFunction.
void split_before_thousands(std::string_view text, std::vector<std::string_view>& pieces);

}  // namespace assay
