// Model files of a known shape with random weights: for benchmarks, where only sizes and types count.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace assay {

struct SyntheticShape {
  std::string_view name;
  size_t n_layers, d_model, n_heads, n_kv_heads, d_ff, vocab_size, n_ctx;
};

/// "SHAPE:TYPE", e.g. "tinyllama-1.1b:q4_k_m". Types: the quant table's names, and the mixes q4_k_m and
/// q5_k_m, which keep half of attn_v and ffn_down and the output in Q6_K as llama.cpp's quantizer does.
/// Throws UsageError naming what there is.
struct SyntheticSpec {
  SyntheticShape shape;
  std::string type;
};
SyntheticSpec parse_synthetic(std::string_view text);

/// Writes a llama-architecture file with a byte-level vocabulary padded to vocab_size. Same spec, same bytes.
/// Throws MachineError.
void write_synthetic(const SyntheticSpec& spec, const std::filesystem::path& path);

}  // namespace assay
