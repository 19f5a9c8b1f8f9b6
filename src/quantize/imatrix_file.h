// Importance matrices: how strongly each column of a weight is driven by the activations of a text.
// Source of both formats: llama.cpp's tools/imatrix (GGUF since 2025, and the ".dat" before).
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gguf/gguf.h"

namespace assay {

/// What one weight's products have seen. A .dat file does not tell experts apart: there, n_cols covers all
/// experts' columns one after the other, with one count.
struct ImatrixEntry {
  size_t n_cols = 0;
  std::vector<uint64_t> counts;  // (n_experts): activation rows that were added up
  std::vector<double> sums;      // (n_experts, n_cols): sum of squares of each column's activations
};

struct Imatrix {
  std::map<std::string, ImatrixEntry> entries;  // by the weight's name: "blk.0.attn_q.weight"
  std::vector<std::string> datasets;            // names of the texts
  uint32_t chunk_count = 0;                     // chunks evaluated, of all texts together
  uint32_t chunk_size = 0;                      // tokens a chunk; 0: not recorded (.dat)
};

/// Reads either format, told apart by the first bytes. Throws LoadError naming the entry (sums and counts
/// must be finite, not negative and of fitting shapes), UsageError, MachineError.
Imatrix read_imatrix(const std::filesystem::path& path);

/// Writes the GGUF format, entries by name; sums and counts as f32, as the format has them. Throws
/// UsageError, MachineError.
void write_imatrix(const std::filesystem::path& path, const Imatrix& imatrix);

/// Adds what `from` has seen to `into`; chunks are counted in `into`'s size. Throws UsageError when an
/// entry's shape differs; `into` is then unchanged.
void merge(Imatrix& into, const Imatrix& from);

/// The importance of each column, (n_experts, n_cols): sum / count in f32, as llama.cpp's quantizer has it; 1
/// for an expert that no token reached. Throws UsageError naming `name` when the entry has other shapes.
std::vector<float> column_importance(const std::string& name, const ImatrixEntry& entry, size_t n_cols,
                                     size_t n_experts);

}  // namespace assay
