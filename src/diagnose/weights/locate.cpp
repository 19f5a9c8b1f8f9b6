#include "diagnose/weights/locate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "diagnose/weights/bit_search.h"
#include "diagnose/weights/block_parts.h"

namespace assay {
namespace {

constexpr size_t kBlocksExplained = 256, kBlocksFlipped = 24, kBlocksMapped = 4;

std::string ranges_text(const std::vector<bool>& flags) {
  std::string text;
  for (size_t i = 0; i < flags.size(); ++i) {
    if (!flags[i]) continue;
    const size_t first = i;
    while (i + 1 < flags.size() && flags[i + 1]) ++i;
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", first, i == first ? "" : fmt::format("..{}", i));
  }
  return text;
}

/// Where the wrong numbers are when their index is folded.
struct Fold {
  size_t modulus = 0;
  std::vector<bool> wrong;  // residues at which something is wrong
  double share_exact = 0;   // of those residues' numbers
};

/// The fold with the fewest residues at which something is wrong, by share; the shortest of equals. Modulus 0
/// when none has residues that are right everywhere, or when the wrong numbers are too few to have a pattern.
Fold tightest_fold(const std::vector<bool>& wrong, size_t block_elems) {
  constexpr size_t kSeen = 4;  // wrong numbers at a residue, on average
  std::set<size_t> moduli{16, 32, 64, 128, 256};
  if (block_elems > 1) moduli.insert(block_elems);
  Fold best;
  double least = 1;
  for (const size_t modulus : moduli) {
    std::vector<size_t> n_wrong(modulus), n_all(modulus);
    for (size_t i = 0; i < wrong.size(); ++i) {
      n_wrong[i % modulus] += wrong[i];
      ++n_all[i % modulus];
    }
    Fold fold{modulus, std::vector<bool>(modulus), 0};
    size_t n_residues = 0, wrong_there = 0, all_there = 0;
    for (size_t r = 0; r < modulus; ++r) {
      fold.wrong[r] = n_wrong[r] > 0;
      if (!fold.wrong[r]) continue;
      ++n_residues;
      wrong_there += n_wrong[r];
      all_there += n_all[r];
    }
    if (const double share = double(n_residues) / double(modulus);
        share < least && wrong_there >= kSeen * n_residues) {
      least = share;
      fold.share_exact = 1 - double(wrong_there) / double(all_there);
      best = std::move(fold);
    }
  }
  return best;
}

/// Rows of the dump that are other rows of the tensor, bit for bit after the rounding; empty when some are
/// none of them.
std::string moved_rows(const JudgedWeights& judged, const Decoded& truth, DumpRounding rounding) {
  const size_t n_cols = judged.n_cols();
  const auto row_of = [&](const std::vector<float>& all, size_t r) {
    return std::span<const float>(all).subspan(r * n_cols, n_cols);
  };
  const auto same_row = [&](size_t dumped, size_t held) {
    for (size_t c = 0; c < n_cols; ++c)
      if (!agrees(judged.dumped[dumped * n_cols + c], truth.values[held * n_cols + c],
                  truth.slack[held * n_cols + c], rounding))
        return false;
    return true;
  };
  if (judged.n_rows < 4 || n_cols < 8) return {};
  // Rows are found by their first number, which the dump may have rounded: sorted, and looked up in an
  // interval.
  std::vector<std::pair<float, size_t>> by_first;
  for (size_t r = 0; r < judged.n_rows; ++r)
    if (std::isfinite(row_of(truth.values, r)[0])) by_first.emplace_back(row_of(truth.values, r)[0], r);
  std::ranges::sort(by_first);
  size_t n_moved = 0, n_lost = 0;
  std::string examples;
  for (size_t r = 0; r < judged.n_rows; ++r) {
    if (same_row(r, r)) continue;
    const float first = row_of(judged.dumped, r)[0], reach = std::fabs(first) * 0x1p-6f + 1e-30f;
    size_t found = SIZE_MAX, n_looked = 0;
    for (auto at = std::lower_bound(by_first.begin(), by_first.end(), std::pair(first - reach, size_t(0)));
         at != by_first.end() && at->first <= first + reach && n_looked < 4096; ++at, ++n_looked)
      if (same_row(r, at->second)) {
        found = at->second;
        break;
      }
    if (found == SIZE_MAX) {
      ++n_lost;
      continue;
    }
    if (++n_moved <= 6)
      examples += fmt::format("{}{} is {}", examples.empty() ? "" : ", ", judged.first_row + r,
                              judged.first_row + found);
  }
  // Rows at the end may have left the part that was dumped.
  if (n_moved == 0 || n_lost > n_moved / 8) return {};
  return fmt::format(
      "rows are in other places: of {} rows {} are another row of the tensor, bit for bit ({})",
      judged.n_rows, n_moved, examples);
}

/// The tensor of the file whose values the dump has; empty when there is none.
std::string_view tensor_held(const JudgedWeights& judged, DumpRounding rounding) {
  for (const TensorInfo& info : judged.tensor.file.tensors()) {
    if (info.name == judged.tensor.info.name || info.n_elements != judged.tensor.info.n_elements ||
        info.n_cols() != judged.n_cols() || judged.dumped.size() < 16)
      continue;
    JudgedWeights other{
        {judged.tensor.file, info, judged.tensor.hparams}, judged.first_row, judged.n_rows, {}, {}};
    const size_t n_compared = info.type->block_elems;  // the first block decides nearly always
    const auto same_until = [&](size_t n) {
      std::vector<float> values(n), slack(n);
      info.type->dequantize(other.blocks().data(), n / info.type->block_elems, values.data());
      decode_slack(*info.type, other.blocks(), values, slack);
      for (size_t i = 0; i < n; ++i)
        if (!agrees(judged.dumped[i], values[i], slack[i], rounding)) return false;
      return true;
    };
    if (same_until(n_compared) && same_until(judged.dumped.size())) return info.name;
  }
  return {};
}

std::string code_error_text(const std::map<int, size_t>& errors) {
  std::vector<std::pair<size_t, int>> by_count;
  for (const auto& [error, n] : errors) by_count.emplace_back(n, error);
  std::ranges::sort(by_count, std::greater{});
  std::string text;
  for (size_t k = 0; k < std::min<size_t>(by_count.size(), 4); ++k)
    text += fmt::format("{}{:+} ({} weights)", k ? ", " : "", by_count[k].second, by_count[k].first);
  return text + (by_count.size() > 4 ? fmt::format(", {} other sizes", by_count.size() - 4) : "");
}

/// The bits that feed the part of the formula which is wrong.
BitSet bits_of_part(const JudgedWeights& judged, std::span<const size_t> blocks, BlockPart part,
                    const PartCounts& counts, const Fold& fold) {
  const QuantType& type = *judged.tensor.info.type;
  const std::set<size_t>& sub_blocks = counts.sub_blocks.at(part);
  std::set<int> sizes;  // of code errors, when they are few
  for (const auto& [error, n] : counts.code_errors) sizes.insert(std::abs(error));
  return bits_that_change(judged, blocks, [&](const IntegerBlock& before, const IntegerBlock& after) {
    if (part == BlockPart::d) return before.d != after.d || before.dmin != after.dmin;
    if (part == BlockPart::codes) {
      for (size_t i = 0; i < type.block_elems; ++i) {
        if (fold.modulus != 0 && !fold.wrong[i % fold.modulus]) continue;
        const int change = std::abs(after.q[i] - before.q[i]);
        if (change != 0 && (sizes.size() > 4 || sizes.contains(change))) return true;
      }
      return false;
    }
    const bool with_scale = part != BlockPart::min,
               with_min = part == BlockPart::min || part == BlockPart::scale_and_min;
    for (const size_t s : sub_blocks)
      if ((with_scale && before.scale[s] != after.scale[s]) || (with_min && before.min[s] != after.min[s]))
        return true;
    return false;
  });
}

}  // namespace

WrongPart locate_wrong_part(const JudgedWeights& judged, const Decoded& truth, DumpRounding rounding) {
  const QuantType& type = *judged.tensor.info.type;
  WrongPart result;
  std::vector<bool> wrong(judged.dumped.size());
  std::vector<size_t> wrong_blocks;
  size_t n_nan = 0, n_zero = 0, n_wrong = 0;
  for (size_t i = 0; i < wrong.size(); ++i) {
    wrong[i] = !agrees(judged.dumped[i], truth.values[i], truth.slack[i], rounding);
    if (!wrong[i]) continue;
    ++n_wrong;
    n_nan += !std::isfinite(judged.dumped[i]);
    n_zero += judged.dumped[i] == 0;
    const size_t block = i / type.block_elems;
    if (wrong_blocks.empty() || wrong_blocks.back() != block) wrong_blocks.push_back(block);
  }
  const size_t first_wrong = size_t(std::ranges::find(wrong, true) - wrong.begin());
  result.figures.push_back(fmt::format(
      "{} of {} blocks of {} weights have something wrong; the first wrong number is row {}, column {}",
      wrong_blocks.size(), judged.n_blocks(), type.block_elems,
      judged.first_row + first_wrong / judged.n_cols(), first_wrong % judged.n_cols()));
  if (n_nan || n_zero)
    result.figures.push_back(
        fmt::format("of the wrong numbers {} are not finite and {} are 0", n_nan, n_zero));

  if (const std::string_view held = tensor_held(judged, rounding); !held.empty()) {
    result.place = fmt::format("the tensor itself: these are the values of {}", printable(held));
    return result;
  }
  if (result.place = moved_rows(judged, truth, rounding); !result.place.empty()) return result;

  const Fold fold = tightest_fold(wrong, type.block_elems);
  std::string where = "all weights of a block";
  if (fold.modulus != 0) {
    where = fmt::format("weights {} of every {}", ranges_text(fold.wrong), fold.modulus);
    result.figures.push_back(fmt::format("folded over {}: {} {:.1f} % right, all others right", fold.modulus,
                                         where, 100 * fold.share_exact));
  } else {
    result.figures.push_back(
        fmt::format("folded over 16 to 256 the wrong numbers are everywhere ({:.1f} % of all)",
                    100 * double(n_wrong) / double(wrong.size())));
  }

  if (wrong_blocks.size() > kBlocksExplained) wrong_blocks.resize(kBlocksExplained);
  const auto some = [&](size_t n) {
    return std::span<const size_t>(wrong_blocks).first(std::min(n, wrong_blocks.size()));
  };
  const FlipCounts flips = count_flips(judged, truth, some(kBlocksFlipped), rounding);
  for (const auto& [field, n] : flips.n_explained)
    result.figures.push_back(fmt::format("one flipped bit of {} would give {} of {} wrong numbers: {}", field,
                                         n, flips.n_wrong, bits_text(type, flips.bits.at(field))));
  const auto best_flip =
      std::ranges::max_element(flips.n_explained, {}, [](const auto& entry) { return entry.second; });

  BlockPart part = BlockPart::other;
  if (type.integers) {
    const PartCounts counts = explain_blocks(judged, truth, wrong_blocks, rounding);
    size_t n_all = 0;
    for (const auto& [found, n] : counts.n_sub_blocks) n_all += n;
    const auto most =
        std::ranges::max_element(counts.n_sub_blocks, {}, [](const auto& entry) { return entry.second; });
    part = most->first;
    for (const auto& [found, n] : counts.n_sub_blocks)
      result.figures.push_back(fmt::format("{} of {} wrong sub-blocks: a change of {} gives every number", n,
                                           n_all, part_name(found)));
    if (!counts.code_errors.empty())
      result.figures.push_back(fmt::format("codes are off by {}", code_error_text(counts.code_errors)));
    if (part == BlockPart::order) {
      result.place = fmt::format(
          "order of the weights inside a block ({}): the right numbers in other places; {}", where,
          bits_text(type, bits_that_change(judged, some(kBlocksMapped), [&](const auto& a, const auto& b) {
                      return !std::ranges::equal(a.q, b.q);
                    })));
      return result;
    }
    if (part != BlockPart::other) {
      const BitSet bits = bits_of_part(judged, some(kBlocksMapped), part, counts, fold);
      std::string which;
      if (part == BlockPart::codes || part == BlockPart::d) {
        which = where;
      } else {
        std::vector<bool> flags(type.block_elems / type.sub_elems);
        for (const size_t s : counts.sub_blocks.at(part)) flags[s] = true;
        which = fmt::format("{} {}", std::ranges::count(flags, true) == 1 ? "sub-block" : "sub-blocks",
                            ranges_text(flags));
      }
      result.place = fmt::format("{} of {}, which {} holds: {}", part_name(part), which, type.name,
                                 bits_text(type, bits));
      const auto& example = counts.examples.at(part);
      if (part != BlockPart::codes)
        result.figures.push_back(fmt::format("e.g. block {}, sub-block {}: {} read as {:.6g}, stored {:.6g}",
                                             example.block, example.sub_block, part_name(part), example.read,
                                             example.stored));
      return result;
    }
  }
  if (best_flip != flips.n_explained.end() && 2 * best_flip->second > flips.n_wrong)
    result.place = fmt::format("{}, in {}", where, bits_text(type, flips.bits.at(best_flip->first)));
  else
    result.place = fmt::format("{}; no single part of the block explains them", where);
  return result;
}

}  // namespace assay
