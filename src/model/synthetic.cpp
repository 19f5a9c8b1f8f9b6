#include "model/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "gguf/writer.h"

namespace assay {
namespace {

// TinyLlama's is the shape of the published TinyLlama-1.1B; the small one is for tests.
constexpr std::array kShapes = {SyntheticShape{"tinyllama-1.1b", 22, 2048, 32, 4, 5632, 32000, 2048},
                                SyntheticShape{"llama-150m", 12, 1024, 16, 4, 2816, 8192, 2048},
                                SyntheticShape{"small", 2, 512, 8, 2, 1024, 512, 512}};

std::string lower(std::string_view text) {
  std::string s(text);
  std::ranges::transform(s, s.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return s;
}

bool is_mix(std::string_view type) {
  return type == "q4_k_m" || type == "q5_k_m";
}

/// The layers in which the mixes spend more bits: the first and last eighth, and every third between.
bool more_bits(size_t layer, size_t n_layers) {
  return layer < n_layers / 8 || layer >= 7 * n_layers / 8 || (layer - n_layers / 8) % 3 == 2;
}

/// Blocks whose decoded weights have an ordinary size, found among random bytes.
std::vector<std::byte> ordinary_blocks(const QuantType& type, std::mt19937_64& rng) {
  const size_t n_blocks = type.block_elems == 1 ? 4096 : 256;
  std::vector<std::byte> blocks(n_blocks * type.block_bytes);
  std::vector<float> w(type.block_elems);
  for (size_t b = 0; b < n_blocks; ++b) {
    std::byte* const block = blocks.data() + b * type.block_bytes;
    double rms;
    do {
      for (size_t i = 0; i < type.block_bytes; ++i) block[i] = std::byte(rng());
      type.dequantize(block, 1, w.data());
      double sum = 0;
      for (const float x : w) sum += double(x) * double(x);
      rms = std::sqrt(sum / double(w.size()));
    } while (!(rms > 0.004 && rms < 0.05));
  }
  return blocks;
}

/// Bytes of a tensor as random picks from a pool of blocks.
GgufWriter::Producer picks(const QuantType& type, uint64_t n_elements, uint64_t seed) {
  return [&type, n_elements, seed](const GgufWriter::Sink& sink) {
    std::mt19937_64 rng(seed);
    const std::vector<std::byte> pool = ordinary_blocks(type, rng);
    const size_t n_pool = pool.size() / type.block_bytes;
    std::vector<std::byte> piece;
    constexpr size_t kBlocksAtOnce = 1 << 14;
    for (uint64_t left = n_elements / type.block_elems; left > 0;) {
      const size_t n = size_t(std::min<uint64_t>(left, kBlocksAtOnce));
      piece.resize(n * type.block_bytes);
      for (size_t b = 0; b < n; ++b)
        std::copy_n(pool.data() + rng() % n_pool * type.block_bytes, type.block_bytes,
                    piece.data() + b * type.block_bytes);
      sink(piece);
      left -= n;
    }
  };
}

void add_vocabulary(GgufWriter& writer, size_t vocab_size) {
  // <unk>, <s>, </s>, the 256 bytes, then fillers: enough for any text, through byte fallback.
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int32_t> types = {2, 3, 3};
  for (int b = 0; b < 256; ++b) {
    constexpr char kHex[] = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + kHex[b / 16] + kHex[b % 16] + ">");
    types.push_back(6);
  }
  while (tokens.size() < vocab_size) {
    tokens.push_back("tok" + std::to_string(tokens.size()));
    types.push_back(1);
  }
  std::vector<float> scores(tokens.size());
  for (size_t i = 0; i < scores.size(); ++i) scores[i] = -float(i);
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  writer.add("tokenizer.ggml.model", std::string_view("llama"));
  writer.add_array("tokenizer.ggml.tokens", views);
  writer.add_array("tokenizer.ggml.scores", scores);
  writer.add_array("tokenizer.ggml.token_type", types);
  writer.add("tokenizer.ggml.bos_token_id", uint32_t(1));
  writer.add("tokenizer.ggml.eos_token_id", uint32_t(2));
  writer.add("tokenizer.ggml.unknown_token_id", uint32_t(0));
}

}  // namespace

SyntheticSpec parse_synthetic(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string shape = lower(text.substr(0, colon));
  const std::string type = colon == std::string_view::npos ? "" : lower(text.substr(colon + 1));
  const auto* const found =
      std::ranges::find_if(kShapes, [&](const SyntheticShape& s) { return s.name == shape; });
  if (found == kShapes.end() || (!is_mix(type) && !find_quant_type(type))) {
    std::string known;
    for (const SyntheticShape& s : kShapes) known += " " + std::string(s.name);
    throw UsageError("\"" + printable(text) + "\" is not SHAPE:TYPE; shapes:" + known +
                     "; types: any of the quant table, q4_k_m, q5_k_m");
  }
  return {*found, type};
}

void write_synthetic(const SyntheticSpec& spec, const std::filesystem::path& path) {
  const SyntheticShape& s = spec.shape;
  GgufWriter writer;
  writer.add("general.architecture", std::string_view("llama"));
  writer.add("general.name", std::string_view("random weights for benchmarks"));
  const auto size = [&](const char* key, size_t n) { writer.add("llama." + std::string(key), uint32_t(n)); };
  size("block_count", s.n_layers);
  size("context_length", s.n_ctx);
  size("embedding_length", s.d_model);
  size("feed_forward_length", s.d_ff);
  size("attention.head_count", s.n_heads);
  size("attention.head_count_kv", s.n_kv_heads);
  size("rope.dimension_count", s.d_model / s.n_heads);
  size("vocab_size", s.vocab_size);
  writer.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  writer.add("llama.rope.freq_base", 10000.0f);
  add_vocabulary(writer, s.vocab_size);

  const QuantType& q6_k = *find_quant_type("Q6_K");
  const QuantType& most =
      is_mix(spec.type) ? *find_quant_type(spec.type.substr(0, 4)) : *find_quant_type(spec.type);
  uint64_t seed = 1;
  const auto matrix = [&](const std::string& name, size_t n_rows, size_t n_cols, bool more = false) {
    const QuantType& type = more && is_mix(spec.type) ? q6_k : most;
    const uint64_t dims[] = {n_cols, n_rows};
    writer.add_tensor(name + ".weight", type, dims, picks(type, n_rows * n_cols, seed++));
  };
  const std::vector<float> ones(s.d_model, 1.0f);
  const auto norm = [&](const std::string& name) {
    const uint64_t dims[] = {s.d_model};
    writer.add_tensor(name + ".weight", *find_quant_type("F32"), dims, std::as_bytes(std::span(ones)));
  };
  matrix("token_embd", s.vocab_size, s.d_model);
  norm("output_norm");
  matrix("output", s.vocab_size, s.d_model, true);
  const size_t kv_dim = s.d_model / s.n_heads * s.n_kv_heads;
  for (size_t i = 0; i < s.n_layers; ++i) {
    const std::string blk = "blk." + std::to_string(i) + ".";
    const bool more = more_bits(i, s.n_layers);
    norm(blk + "attn_norm");
    matrix(blk + "attn_q", s.d_model, s.d_model);
    matrix(blk + "attn_k", kv_dim, s.d_model);
    matrix(blk + "attn_v", kv_dim, s.d_model, more);
    matrix(blk + "attn_output", s.d_model, s.d_model);
    norm(blk + "ffn_norm");
    matrix(blk + "ffn_gate", s.d_ff, s.d_model);
    matrix(blk + "ffn_up", s.d_ff, s.d_model);
    matrix(blk + "ffn_down", s.d_model, s.d_ff, more);
  }
  writer.write(path);
}

}  // namespace assay
