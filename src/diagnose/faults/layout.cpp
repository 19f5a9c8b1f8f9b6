// Faults of layout: right numbers in wrong rows, columns, heads or tensors.
#include <algorithm>
#include <array>
#include <cmath>

#include "diagnose/faults/source.h"
#include "diagnose/faults/stored.h"

namespace assay {
namespace {

using stored::decode_rows;
using stored::has_role;

bool is_matrix(const StoredTensor& t) {
  return t.info.n_elements > 0 && t.info.n_dims >= 2 && t.info.n_cols() > 1 && t.info.n_rows() > 1;
}
bool is_plain_matrix(const StoredTensor& t) {
  return is_matrix(t) && t.info.n_dims == 2;
}
bool is_square(const StoredTensor& t) {
  return is_plain_matrix(t) && t.info.n_cols() == t.info.n_rows();
}

// Transposition. For a square matrix the two ways are one.

void column_major(const StoredTensor& t, std::span<float> values) {
  std::vector<float> right(values.size());
  stored::decode(t, right);
  const size_t n_rows = t.info.n_rows(), n_cols = t.info.n_cols();
  for (size_t r = 0; r < n_rows; ++r)
    for (size_t c = 0; c < n_cols; ++c) values[r * n_cols + c] = right[c * n_rows + r];
}
void transposed(const StoredTensor& t, std::span<float> values) {
  std::vector<float> right(values.size());
  stored::decode(t, right);
  const size_t n_rows = t.info.n_rows(), n_cols = t.info.n_cols();
  for (size_t r = 0; r < n_rows; ++r)
    for (size_t c = 0; c < n_cols; ++c) values[c * n_rows + r] = right[r * n_cols + c];
}
bool is_embedding(const StoredTensor& t) {
  return is_plain_matrix(t) && (has_role(t.info, "token_embd.weight") || has_role(t.info, "output.weight"));
}
bool is_plain_float(const StoredTensor& t) {
  return is_plain_matrix(t) && t.info.type->block_elems == 1;
}

// Heads.

/// Heads of attn_q or attn_k; 0 for other tensors.
size_t n_heads_of(const StoredTensor& t) {
  if (!t.hparams || !is_plain_matrix(t)) return 0;
  size_t n_heads = 0;
  if (has_role(t.info, "attn_q.weight")) n_heads = t.hparams->n_heads;
  if (has_role(t.info, "attn_k.weight")) n_heads = t.hparams->n_kv_heads;
  return n_heads != 0 && t.info.n_rows() % (2 * n_heads) == 0 ? n_heads : 0;
}
/// Inside runs of head_dim rows: the row at which pairs (2j, 2j + 1) put row j of the first, second half.
size_t halves_of_pairs(size_t row, size_t head_dim) {
  const size_t k = row % head_dim, half = head_dim / 2;
  return row - k + 2 * (k % half) + k / half;
}
size_t pairs_of_halves(size_t row, size_t head_dim) {
  const size_t k = row % head_dim;
  return row - k + k / 2 + (k % 2) * (head_dim / 2);
}
bool rotates(const StoredTensor& t, Rope::Pairs pairs) {
  return n_heads_of(t) != 0 && !t.hparams->rope.frequencies.empty() && t.hparams->rope.pairs == pairs;
}
void permute(const StoredTensor& t, std::span<float> values, size_t (*source)(size_t, size_t),
             size_t n_heads) {
  const size_t head_dim = t.info.n_rows() / n_heads;
  decode_rows(t, values, [&](size_t r) { return source(r, head_dim); });
}

constexpr LayoutFault kUnpermuted{[](const StoredTensor& t) { return rotates(t, Rope::Pairs::adjacent); },
                                  [](const StoredTensor& t, std::span<float> values) {
                                    permute(t, values, halves_of_pairs, n_heads_of(t));
                                  }};
constexpr LayoutFault kPermutedTwice{[](const StoredTensor& t) { return n_heads_of(t) != 0; },
                                     [](const StoredTensor& t, std::span<float> values) {
                                       permute(t, values, pairs_of_halves, n_heads_of(t));
                                     }};
constexpr LayoutFault kUnpermutedNeox{[](const StoredTensor& t) { return rotates(t, Rope::Pairs::halves); },
                                      [](const StoredTensor& t, std::span<float> values) {
                                        permute(t, values, halves_of_pairs, n_heads_of(t));
                                      }};
bool is_k_of_fewer_heads(const StoredTensor& t) {
  return n_heads_of(t) != 0 && has_role(t.info, "attn_k.weight") &&
         t.hparams->n_kv_heads < t.hparams->n_heads && t.info.n_rows() % (2 * t.hparams->n_heads) == 0;
}
constexpr LayoutFault kKOfAllHeads{is_k_of_fewer_heads, [](const StoredTensor& t, std::span<float> values) {
                                     permute(t, values, halves_of_pairs, t.hparams->n_heads);
                                   }};
constexpr LayoutFault kHeadsTurned{
    [](const StoredTensor& t) { return n_heads_of(t) > 1; },
    [](const StoredTensor& t, std::span<float> values) {
      const size_t n_heads = n_heads_of(t), head_dim = t.info.n_rows() / n_heads;
      decode_rows(t, values, [&](size_t r) { return r / n_heads + r % n_heads * head_dim; });
    }};

// Fused tensors.

bool is_fused_qkv(const StoredTensor& t) {
  return t.hparams && is_plain_matrix(t) && has_role(t.info, "attn_qkv.weight") &&
         t.info.n_rows() == t.hparams->q_dim() + 2 * t.hparams->kv_dim();
}
void split_by_groups(const StoredTensor& t, std::span<float> values) {
  const Hparams& h = *t.hparams;
  const size_t per_group = h.n_heads / h.n_kv_heads, q_dim = h.q_dim(), kv_dim = h.kv_dim();
  decode_rows(t, values, [&](size_t r) {
    const bool is_q = r < q_dim;
    const size_t k = is_q ? r : (r - q_dim) % kv_dim, head = k / h.head_dim;
    const size_t group = is_q ? head / per_group : head;
    const size_t in_group = is_q ? head % per_group : per_group + (r - q_dim) / kv_dim;
    return (group * (per_group + 2) + in_group) * h.head_dim + k % h.head_dim;
  });
}
void kv_of_all_heads(const StoredTensor& t, std::span<float> values) {
  const Hparams& h = *t.hparams;
  const size_t v_begin = h.q_dim() + h.kv_dim();
  decode_rows(t, values, [&](size_t r) {
    if (r < v_begin) return r;
    const size_t taken = 2 * h.q_dim() + (r - v_begin);
    return taken < t.info.n_rows() ? taken : SIZE_MAX;
  });
}
bool is_fused_gate_up(const StoredTensor& t) {
  return t.hparams && is_plain_matrix(t) && has_role(t.info, "ffn_up.weight") &&
         t.info.n_rows() == 2 * t.hparams->d_ff;
}
void halves_exchanged(const StoredTensor& t, std::span<float> values) {
  const size_t half = t.info.n_rows() / 2;
  decode_rows(t, values, [&](size_t r) { return (r + half) % (2 * half); });
}

// Experts: (expert, row, col).

bool has_experts(const StoredTensor& t) {
  return t.info.n_elements > 0 && t.info.n_dims == 3 && t.info.dims[2] > 1;
}
void first_expert(const StoredTensor& t, std::span<float> values) {
  decode_rows(t, values, [&](size_t r) { return r % t.info.dims[1]; });
}
void experts_interleaved(const StoredTensor& t, std::span<float> values) {
  const size_t n_experts = t.info.dims[2], n_rows = t.info.dims[1];
  decode_rows(t, values, [&](size_t r) { return r % n_rows * n_experts + r / n_rows; });
}

// Rows.

void row_late(const StoredTensor& t, std::span<float> values) {
  decode_rows(t, values, [&](size_t r) { return r + 1 < t.info.n_rows() ? r + 1 : SIZE_MAX; });
}
int64_t row_bytes(const StoredTensor& t) {
  return int64_t(t.info.n_bytes / t.info.n_rows());
}
int64_t padded_row_bytes(const StoredTensor& t) {
  return (row_bytes(t) + 31) / 32 * 32;
}
void rows_padded(const StoredTensor& t, std::span<float> values) {
  const size_t n_cols = t.info.n_cols();
  for (size_t r = 0; r < t.info.n_rows(); ++r)
    stored::decode_blocks(t, *t.info.type, int64_t(t.info.file_offset) + int64_t(r) * padded_row_bytes(t),
                          t.info.type->block_bytes, values.subspan(r * n_cols, n_cols));
}

/// Four rows' blocks in turns, as run-time repacking stores them, read row by row.
constexpr size_t kRepacked = 4;
void repacked(const StoredTensor& t, std::span<float> values) {
  const size_t elems = t.info.type->block_elems, n_cols = t.info.n_cols(), n_blocks = n_cols / elems;
  std::vector<float> right(values.size());
  stored::decode(t, right);
  for (size_t r = 0; r < t.info.n_rows(); ++r)
    for (size_t b = 0; b < n_blocks; ++b) {
      const size_t place = r % kRepacked * n_blocks + b;  // in the group of four rows
      const size_t from_row = r / kRepacked * kRepacked + place % kRepacked, from_block = place / kRepacked;
      std::copy_n(right.begin() + ptrdiff_t(from_row * n_cols + from_block * elems), elems,
                  values.begin() + ptrdiff_t(r * n_cols + b * elems));
    }
}
bool can_repack(const StoredTensor& t) {
  return is_plain_matrix(t) && t.info.type->block_elems > 1 && t.info.n_rows() % kRepacked == 0 &&
         t.info.n_cols() > t.info.type->block_elems;
}

// Other tensors.

struct Pair {
  std::string_view a, b;
};
template <const Pair& kPair>
const TensorInfo* exchanged(const StoredTensor& t) {
  if (const TensorInfo* other = stored::sibling(t, kPair.a, kPair.b)) return other;
  return stored::sibling(t, kPair.b, kPair.a);
}
/// The next (previous) layer's tensor of the same role and shape.
template <int kStep>
const TensorInfo* neighbour(const StoredTensor& t) {
  constexpr std::string_view kLayer = "blk.";
  if (!t.info.name.starts_with(kLayer)) return nullptr;
  const size_t dot = t.info.name.find('.', kLayer.size());
  if (dot == std::string_view::npos || dot > kLayer.size() + 6) return nullptr;
  const std::string digits(t.info.name.substr(kLayer.size(), dot - kLayer.size()));
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return nullptr;
  const int layer = std::stoi(digits) + kStep;
  if (layer < 0) return nullptr;
  const TensorInfo* other =
      t.file.find(std::string(kLayer) + std::to_string(layer) + std::string(t.info.name.substr(dot)));
  return other && std::ranges::equal(other->dims, t.info.dims) ? other : nullptr;
}
template <const TensorInfo* (*kOther)(const StoredTensor&)>
constexpr LayoutFault kOfTensor{
    [](const StoredTensor& t) { return t.info.n_elements > 0 && kOther(t) != nullptr; },
    [](const StoredTensor& t, std::span<float> values) {
      stored::decode({t.file, *kOther(t), t.hparams}, values);
    }};
constexpr Pair kGateUp{"ffn_gate.weight", "ffn_up.weight"}, kKV{"attn_k.weight", "attn_v.weight"},
    kQOutput{"attn_q.weight", "attn_output.weight"}, kNorms{"attn_norm.weight", "ffn_norm.weight"},
    kEmbeddingHead{"token_embd.weight", "output.weight"};

void exponentiated(const StoredTensor& t, std::span<float> values) {
  stored::decode(t, values);
  for (float& value : values) value = -std::exp(value);
}

#define LAYOUT(name, fault, what, where, seen, repair, report)                                       \
  Fault {                                                                                            \
    .id = name, .family = FaultFamily::container, .change = what, .affects = where, .symptom = seen, \
    .mend = repair, .source = report, .injection = fault                                             \
  }
constexpr std::string_view kTransposeReport =
    "F49: https://github.com/paiml/aprender/issues/155, https://github.com/ggml-org/llama.cpp/issues/6040";
constexpr std::string_view kQkReport =
    "F59: https://github.com/vllm-project/vllm-metal/pull/480, "
    "https://github.com/huggingface/transformers/issues/31766";

const std::array kFaults{
    LAYOUT("column-major", (LayoutFault{is_plain_matrix, column_major}),
           "The stored numbers are read column by column; dims are {cols, rows} and rows are stored one "
           "after another",
           "All matrices", "Garbage; norms and histograms of the weights are right",
           "Weight (r, c) is number r * dims[0] + c", kTransposeReport),
    LAYOUT("transposed-buffer", (LayoutFault{is_plain_matrix, transposed}),
           "The matrix is transposed into a buffer that is used as if it had not been", "All matrices",
           "Garbage; norms and histograms of the weights are right",
           "Transpose either the numbers or the product", kTransposeReport),
    LAYOUT("square-transposed", (LayoutFault{is_square, transposed}),
           "Square matrices alone are transposed: a check of shapes decides, and lets them pass both ways",
           "Square matrices (attn_q, attn_output)", "Garbage; all matrices that are not square are right",
           "Decide by the tensor's role, not by its shape",
           "F50: "
           "https://github.com/JunSuzukiJapan/rustorch/blob/275cc459c1eafeb14439f0b473b30f0b310853b8/"
           "claudedocs/SESSION_20251011_Q8_SHAPE_FIX.md"),
    LAYOUT("embedding-transposed", (LayoutFault{is_embedding, transposed}),
           "token_embd or output alone is transposed", "token_embd, output",
           "Every input looks the same, or logits that follow no input",
           "Row t of token_embd is token t; output has a row for each token",
           "from the format: F51 in the catalogue's decision tree, no public report"),
    LAYOUT("float-matrix-transposed", (LayoutFault{is_plain_float, transposed}),
           "The dimensions of F32, F16 and BF16 tensors are reversed and those of quantized ones are not",
           "F32, F16, BF16 matrices", "Unquantized files and tensors are garbage, quantized ones fine",
           "All types have dims {cols, rows}", kTransposeReport),
    LAYOUT(
        "qk-unpermuted", kUnpermuted,
        "The rows of q and k are put back into the order of the original model, whose rotation pairs halves, "
        "while the engine rotates neighbours as the file's order asks (right when it rotates halves)",
        "attn_q, attn_k of llama and its kin", "Garbage after one or two tokens",
        "Permute and rotate by the same convention: GGUF of arch llama has rows for neighbouring pairs",
        kQkReport),
    LAYOUT("qk-permuted-twice", kPermutedTwice,
           "The rows of q and k are permuted for neighbouring pairs once more; the file has them so (or its "
           "architecture never has)",
           "attn_q, attn_k", "Garbage after one or two tokens",
           "Permute in the converter or in the engine, not in both", kQkReport),
    LAYOUT("qk-unpermuted-never-permuted", kUnpermutedNeox,
           "The rows of q and k of an architecture that rotates halves are un-permuted as those of llama; "
           "they were never permuted",
           "attn_q, attn_k of qwen2, qwen3, phi, gemma, ...", "Garbage after one or two tokens",
           "Un-permute for arch llama alone", kQkReport),
    LAYOUT("k-permuted-with-n-heads", kKOfAllHeads,
           "The rows of k are un-permuted in runs of rows / n_heads; they are in runs of rows / n_kv_heads",
           "attn_k with fewer k/v heads than q heads",
           "Garbage after one or two tokens; models with as many k/v heads are fine", "Use n_kv_heads for k",
           "from the format: F60 in the catalogue's signatures, no public report"),
    LAYOUT("head-index-exchanged", kHeadsTurned,
           "Rows of q (k) are numbered (head_dim, n_heads); they are (n_heads, head_dim)", "attn_q, attn_k",
           "Garbage; one-head models are fine", "row = head * head_dim + k",
           "from the format: F51 in the catalogue, no public report"),
    LAYOUT("fused-qkv-by-groups", (LayoutFault{is_fused_qkv, split_by_groups}),
           "A fused qkv is split group by group (q heads, k, v); the file has all q, then all k, then all v",
           "attn_qkv", "Garbage; the first head is right",
           "q, k, v in a row; converters have already taken groups apart",
           "F61: https://github.com/llmmanorg/llmman/pull/16, "
           "https://github.com/huggingface/transformers/pull/35088"),
    LAYOUT("fused-kv-of-all-heads",
           (LayoutFault{[](const StoredTensor& t) {
                          return is_fused_qkv(t) && t.hparams->n_kv_heads < t.hparams->n_heads;
                        },
                        kv_of_all_heads}),
           "The k and v parts of a fused qkv are given n_heads heads; they have n_kv_heads",
           "attn_qkv with fewer k/v heads", "Garbage; q and k are right",
           "v begins at row (n_heads + n_kv_heads) * head_dim",
           "F62: https://github.com/ggml-org/llama.cpp/commit/2e59d61c1"),
    LAYOUT("fused-gate-up-exchanged", (LayoutFault{is_fused_gate_up, halves_exchanged}),
           "The halves of a fused gate and up are exchanged; gate comes first", "ffn_up of phi3 and its kin",
           "Garbage", "gate: the first d_ff rows, up: the others",
           "from the format: F63's neighbours in the catalogue, no public report"),
    LAYOUT("experts-all-first", (LayoutFault{has_experts, first_expert}),
           "Every expert has the weights of expert 0: the offset of the slice is ignored", "ffn_*_exps",
           "Worse text to garbage, on one kernel only", "Add expert * rows * row bytes",
           "F56: https://github.com/EricLBuehler/mistral.rs/commit/22aedaabf"),
    LAYOUT("experts-interleaved", (LayoutFault{has_experts, experts_interleaved}),
           "The expert is taken for the fastest of the row dimensions; it is the slowest", "ffn_*_exps",
           "Garbage", "dims {cols, rows, experts}", kFromTheFormat),
    LAYOUT("row-late", (LayoutFault{is_matrix, row_late}), "Row r + 1 is taken for row r", "All matrices",
           "Every token is its neighbour; garbage", "Row 0 begins at the tensor's offset", kFromTheFormat),
    LAYOUT("rows-padded-to-32-bytes",
           (LayoutFault{
               [](const StoredTensor& t) { return is_matrix(t) && padded_row_bytes(t) != row_bytes(t); },
               rows_padded}),
           "Rows are taken to begin at multiples of 32 bytes; they follow one another",
           "Matrices whose rows are no multiple of 32 bytes", "Garbage; row 0 is right",
           "Row r begins at r * row bytes",
           "F52, F55: https://github.com/ikawrakow/ik_llama.cpp/commit/9c6988f61"),
    LAYOUT("repacked-read-plain", (LayoutFault{can_repack, repacked}),
           "Blocks of four rows stored in turns (run-time repacking) are read as plain rows, or the other "
           "way round",
           "All block types", "Garbage with one kernel only; off when repacking is off",
           "Read a repacked tensor with its own kernel",
           "F41: https://github.com/ggml-org/ggml/commit/c6014109, "
           "https://github.com/ikawrakow/ik_llama.cpp/commit/49befdd4f"),
    LAYOUT("gate-up-exchanged", kOfTensor<exchanged<kGateUp>>, "ffn_gate and ffn_up are exchanged",
           "ffn_gate, ffn_up", "Worse text to garbage", "silu(gate x) * (up x)",
           "from the format: F48 in the catalogue's decision tree, no public report"),
    LAYOUT("k-v-exchanged", kOfTensor<exchanged<kKV>>, "attn_k and attn_v are exchanged", "attn_k, attn_v",
           "Garbage", "Bind tensors by their names", kFromTheFormat),
    LAYOUT("q-output-exchanged", kOfTensor<exchanged<kQOutput>>,
           "attn_q and attn_output are exchanged, which are both square", "attn_q, attn_output", "Garbage",
           "Bind tensors by their names", kFromTheFormat),
    LAYOUT("norms-exchanged", kOfTensor<exchanged<kNorms>>, "attn_norm and ffn_norm are exchanged",
           "attn_norm, ffn_norm", "Worse text", "Bind tensors by their names", kFromTheFormat),
    LAYOUT("embedding-head-exchanged", kOfTensor<exchanged<kEmbeddingHead>>,
           "token_embd is taken for output, or output for token_embd, though the file has both",
           "token_embd, output", "Worse text to garbage", "Tie them only where the file has no output.weight",
           kFromTheFormat),
    LAYOUT("layer-late", kOfTensor<neighbour<1>>, "Layer l has the weights of layer l + 1",
           "All tensors of layers", "Worse text", "blk.0 is the first layer", kFromTheFormat),
    LAYOUT("layer-early", kOfTensor<neighbour<-1>>, "Layer l has the weights of layer l - 1",
           "All tensors of layers", "Worse text", "blk.0 is the first layer", kFromTheFormat),
    LAYOUT(
        "ssm-a-exponentiated-twice",
        (LayoutFault{[](const StoredTensor& t) { return t.info.n_elements > 0 && has_role(t.info, "ssm_a"); },
                     exponentiated}),
        "-exp is applied to ssm_a; the converter has done so", "ssm_a of mamba and its kin", "Garbage",
        "Use ssm_a as it is stored: negative numbers",
        "F64: https://github.com/1CatAI/1Cat-vLLM/pull/58, https://github.com/sgl-project/sglang/pull/36864"),
};
#undef LAYOUT

}  // namespace

extern const std::span<const Fault> faults_layout{kFaults};

}  // namespace assay
