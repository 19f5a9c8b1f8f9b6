// Golden blocks for engines in any language: blocks in which every bit matters, and a judge of what they
// decode to.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "diagnose/faults/fault.h"
#include "quant/table.h"

namespace assay {

/// A bit of a block.
struct BlockBit {
  size_t byte;
  unsigned bit;  // 0: lowest
};

/// The blocks of one type, with what they decode to.
struct ConformanceSet {
  const QuantType* type;
  std::vector<std::byte> blocks;
  std::vector<float> expected;  // n_blocks * block_elems
  /// Bits whose value never changes a weight, in thousands of blocks: the format leaves them unread.
  std::vector<BlockBit> unread;
  size_t n_blocks() const { return blocks.size() / type->block_bytes; }
};

/// Random blocks, chosen so that flipping any bit but the unread ones changes a weight of at least one of
/// them, and extremes: codes all clear and all set, steps that are zero, negative, subnormal, large. All
/// weights are finite. The same for every call.
ConformanceSet make_conformance_set(const QuantType& type);

/// Writes, for every type T of the table, T.blocks and T.expected.f32 (little-endian), and manifest.json,
/// which says sizes, fields and checksums. Throws MachineError, UsageError.
void export_conformance(const std::filesystem::path& dir);

/// An engine's answers for one type.
struct ConformanceMark {
  const QuantType* type;
  bool answered = false;
  size_t n_weights = 0, n_wrong = 0, n_blocks_wrong = 0;
  size_t first_wrong = 0;  // weight, counted through all blocks
  float expected = 0, found = 0;
  /// Decoders of the fault list that give just these answers.
  std::vector<const Fault*> faults;
  /// When there is none: the field that is read wrongly, as misread_fields says.
  std::vector<std::string> misread;
};

/// Marks DIR/T.answer.f32 or DIR/T.answer.npy against DIR/T.blocks for every type that has an export there. 0
/// and -0 are equal. Throws LoadError when a file has another size than it must, UsageError when DIR has no
/// export.
std::vector<ConformanceMark> check_conformance(const std::filesystem::path& dir);

/// Marks answers at hand.
ConformanceMark mark(const QuantType& type, std::span<const std::byte> blocks,
                     std::span<const float> answers);

}  // namespace assay
