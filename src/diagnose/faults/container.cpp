// Faults of the container: where the bytes of a tensor are, and what they are taken for.
#include <algorithm>
#include <map>

#include "diagnose/faults/source.h"
#include "diagnose/faults/stored.h"

namespace assay {
namespace {

using stored::decode_blocks;

bool any(const StoredTensor& t) {
  return t.info.n_elements > 0;
}
int64_t begin_of(const StoredTensor& t) {
  return int64_t(t.info.file_offset);
}
void decode_at(const StoredTensor& t, int64_t offset, std::span<float> values) {
  decode_blocks(t, *t.info.type, offset, t.info.type->block_bytes, values);
}

// Byte shifts.

template <int kBytes>
constexpr LayoutFault kShifted{
    any, [](const StoredTensor& t, std::span<float> values) { decode_at(t, begin_of(t) + kBytes, values); }};

/// Where the part's tensors begin: offsets of the directory are relative to it.
int64_t data_start(const StoredTensor& t) {
  uint64_t start = t.info.file_offset;
  for (const TensorInfo& other : t.file.tensors())
    if (other.part == t.info.part) start = std::min(start, other.file_offset);
  return int64_t(start);
}

constexpr LayoutFault kRelativeAsAbsolute{any, [](const StoredTensor& t, std::span<float> values) {
                                            decode_at(t, begin_of(t) - data_start(t), values);
                                          }};

/// Where the tensor would be if tensors followed one another without padding, in the order of the directory.
int64_t unpadded_offset(const StoredTensor& t) {
  int64_t offset = data_start(t);
  for (const TensorInfo& other : t.file.tensors()) {
    if (other.name == t.info.name) break;
    if (other.part == t.info.part) offset += int64_t(other.n_bytes);
  }
  return offset;
}

constexpr LayoutFault kNoPadding{
    [](const StoredTensor& t) { return any(t) && unpadded_offset(t) != begin_of(t); },
    [](const StoredTensor& t, std::span<float> values) { decode_at(t, unpadded_offset(t), values); }};

constexpr LayoutFault kWrittenOffset{
    [](const StoredTensor& t) { return any(t) && t.info.n_bytes % t.file.alignment() == 0; },
    [](const StoredTensor& t, std::span<float> values) {
      decode_at(t, begin_of(t) + int64_t(t.file.alignment()), values);
    }};

// Block sizes.

template <int (*kExtraBytes)(const QuantType& type)>
constexpr LayoutFault kStride{[](const StoredTensor& t) {
                                return any(t) && kExtraBytes(*t.info.type) != 0 &&
                                       t.info.n_elements > t.info.type->block_elems;
                              },
                              [](const StoredTensor& t, std::span<float> values) {
                                decode_blocks(t, *t.info.type, begin_of(t),
                                              t.info.type->block_bytes + kExtraBytes(*t.info.type), values);
                              }};

int f32_scales(const QuantType& type) {
  constexpr std::string_view kTwoScales[] = {"Q4_1", "Q5_1", "Q2_K", "Q4_K", "Q5_K"};
  if (!type.integers || type.name == "MXFP4" || type.name == "IQ1_M") return 0;
  return std::ranges::find(kTwoScales, type.name) != std::end(kTwoScales) ? 4 : 2;
}
int table_shifted(const QuantType& type) {
  const auto types = quant_types();
  const auto next = size_t(find_quant_type(type.id) - types.data()) + 1;
  if (next == types.size() || types[next].block_elems != type.block_elems || type.block_elems == 1) return 0;
  return types[next].block_bytes - type.block_bytes;
}
int field_missed(const QuantType& type) {
  const std::map<std::string_view, int> kBytes{{"Q2_K", 72},  {"Q3_K", 104}, {"Q4_K", 132}, {"Q5_K", 144},
                                               {"Q6_K", 146}, {"Q5_0", 18},  {"Q5_1", 20},  {"Q8_0", 32}};
  const auto found = kBytes.find(type.name);
  return found == kBytes.end() ? 0 : found->second - type.block_bytes;
}

// Types taken for others.

/// The type that an engine takes `type` for; null: for itself.
using Confusion = const QuantType* (*)(const StoredTensor& t);

template <Confusion kTakenFor>
constexpr LayoutFault kConfused{[](const StoredTensor& t) { return any(t) && kTakenFor(t) != nullptr; },
                                [](const StoredTensor& t, std::span<float> values) {
                                  const QuantType& type = *kTakenFor(t);
                                  decode_blocks(t, type, begin_of(t), type.block_bytes, values);
                                }};

const QuantType* taken_for(const StoredTensor& t,
                           std::initializer_list<std::pair<std::string_view, std::string_view>> names) {
  for (const auto& [name, other] : names)
    if (t.info.type->name == name) return find_quant_type(other);
  return nullptr;
}
const QuantType* legacy_ids(const StoredTensor& t) {
  return taken_for(t, {{"Q5_0", "Q5_1"}, {"Q5_1", "Q8_0"}, {"Q8_0", "Q5_0"}});
}
const QuantType* k_ids_low(const StoredTensor& t) {
  return taken_for(t, {{"Q3_K", "Q2_K"}, {"Q4_K", "Q3_K"}, {"Q5_K", "Q4_K"}, {"Q6_K", "Q5_K"}});
}
const QuantType* k_ids_high(const StoredTensor& t) {
  return taken_for(t, {{"Q2_K", "Q3_K"}, {"Q3_K", "Q4_K"}, {"Q4_K", "Q5_K"}, {"Q5_K", "Q6_K"}});
}
const QuantType* with_min(const StoredTensor& t) {
  return taken_for(t, {{"Q4_0", "Q4_1"}, {"Q4_1", "Q4_0"}, {"Q5_0", "Q5_1"}, {"MXFP4", "Q4_0"}});
}
const QuantType* same_size(const StoredTensor& t) {
  return taken_for(
      t, {{"Q4_0", "IQ4_NL"}, {"IQ3_S", "Q3_K"}, {"Q3_K", "IQ3_S"}, {"F32", "F16"}, {"F16", "F32"}});
}
/// The type that most of the file's matrices have.
const QuantType* files_type(const StoredTensor& t) {
  if (!stored::has_role(t.info, "token_embd.weight") && !stored::has_role(t.info, "output.weight"))
    return nullptr;
  std::map<const QuantType*, size_t> n_of;
  for (const TensorInfo& other : t.file.tensors())
    if (other.n_dims > 1) ++n_of[find_quant_type(other.type->id)];
  const auto most = std::ranges::max_element(n_of, {}, [](const auto& entry) { return entry.second; });
  return most == n_of.end() || most->first->id == t.info.type->id ? nullptr : most->first;
}

// Parts of a tensor.

constexpr LayoutFault kFirstBlockOfRow{
    [](const StoredTensor& t) { return any(t) && t.info.n_cols() > t.info.type->block_elems; },
    [](const StoredTensor& t, std::span<float> values) {
      stored::decode(t, values);
      for (size_t i = 0; i < values.size(); ++i)
        if (i % t.info.n_cols() >= t.info.type->block_elems) values[i] = 0;
    }};
constexpr LayoutFault kFirstBlock{
    [](const StoredTensor& t) { return t.info.n_elements > t.info.type->block_elems; },
    [](const StoredTensor& t, std::span<float> values) {
      stored::decode(t, values);
      std::fill(values.begin() + ptrdiff_t(std::min<size_t>(values.size(), t.info.type->block_elems)),
                values.end(), 0.0f);
    }};
constexpr LayoutFault kFirstHalf{
    [](const StoredTensor& t) { return any(t) && t.info.n_rows() > 1; },
    [](const StoredTensor& t, std::span<float> values) {
      stored::decode_rows(t, values, [&](size_t r) { return r < (t.info.n_rows() + 1) / 2 ? r : SIZE_MAX; });
    }};
template <size_t kTile>
constexpr LayoutFault kTailRows{
    [](const StoredTensor& t) { return any(t) && t.info.n_rows() > kTile && t.info.n_rows() % kTile != 0; },
    [](const StoredTensor& t, std::span<float> values) {
      stored::decode_rows(t, values,
                          [&](size_t r) { return r < t.info.n_rows() / kTile * kTile ? r : SIZE_MAX; });
    }};
constexpr LayoutFault kOddBlock{
    [](const StoredTensor& t) {
      return any(t) && t.info.n_cols() / t.info.type->block_elems % 2 == 1 && t.info.type->block_elems > 1;
    },
    [](const StoredTensor& t, std::span<float> values) {
      stored::decode(t, values);
      const size_t n_cols = t.info.n_cols(), n_kept = n_cols - t.info.type->block_elems;
      for (size_t i = 0; i < values.size(); ++i)
        if (i % n_cols >= n_kept) values[i] = 0;
    }};
constexpr LayoutFault kLastRow{
    [](const StoredTensor& t) { return any(t) && t.info.n_rows() > 1; },
    [](const StoredTensor& t, std::span<float> values) {
      stored::decode_rows(t, values, [&](size_t r) { return r + 1 < t.info.n_rows() ? r : SIZE_MAX; });
    }};
constexpr LayoutFault kBlockLate{
    [](const StoredTensor& t) { return t.info.n_elements > t.info.type->block_elems; },
    [](const StoredTensor& t, std::span<float> values) {
      decode_at(t, begin_of(t) + t.info.type->block_bytes, values);
    }};

#define CONTAINER(name, fault, what, where, seen, repair, report)                                    \
  Fault {                                                                                            \
    .id = name, .family = FaultFamily::container, .change = what, .affects = where, .symptom = seen, \
    .mend = repair, .source = report, .injection = fault                                             \
  }
constexpr std::string_view kGarbage = "Garbage text";
constexpr std::string_view kAlignment =
    "F47: https://github.com/ollama/ollama/pull/18130, "
    "https://github.com/huggingface/huggingface.js/pull/1076";
constexpr std::string_view kBlockSize =
    "F28: https://github.com/1bit-MONSTER/1bit-MONSTER/pull/1234, https://github.com/antirez/ds4/pull/1095";

const std::array kFaults{
    CONTAINER("data-shifted-plus-32", kShifted<32>,
              "The data section is taken to begin 32 bytes late: padding is added though the directory "
              "ends aligned",
              "All tensors", kGarbage,
              "start = the directory's end rounded up to general.alignment (default 32)", kAlignment),
    CONTAINER("data-shifted-minus-32", kShifted<-32>,
              "The data section is taken to begin 32 bytes early: the directory's end is rounded down",
              "All tensors", kGarbage,
              "start = the directory's end rounded up to general.alignment (default 32)", kAlignment),
    CONTAINER(
        "data-shifted-by-4", kShifted<4>,
        "The data section is taken to begin 4 bytes late: a field of the header is read with a wrong width",
        "All tensors", kGarbage, "Counts and offsets are 64 bits wide in versions 2 and 3",
        "F46: https://github.com/1bit-MONSTER/1bit-MONSTER/pull/1234"),
    CONTAINER("offset-relative-as-absolute", kRelativeAsAbsolute,
              "A tensor's offset is counted from the start of the file; it counts from the data section",
              "All tensors", kGarbage, "file offset = start of the data section + offset",
              "F47: https://github.com/RightNow-AI/picolm/pull/20"),
    CONTAINER("offsets-without-padding", kNoPadding,
              "Tensors are taken to follow one another; each begins at a multiple of the alignment",
              "Tensors behind one whose bytes are no multiple of general.alignment",
              "Garbage from some tensor on", "Use the directory's offsets",
              "F65: https://github.com/karpathy/llama2.c/pull/355"),
    CONTAINER("padding-when-aligned", kWrittenOffset,
              "A tensor whose bytes end aligned is given a whole unit of padding more",
              "All tensors of a file with "
              "general.alignment other than 32 (else as data-shifted-plus-32)",
              kGarbage, "padding = (alignment - n % alignment) % alignment", kAlignment),
    CONTAINER("block-size-f32-scales", kStride<f32_scales>,
              "The block is taken to be longer: d (and dmin, m) counted as f32", "All types with f16 scales",
              "Garbage; block 0 is right, the rest drifts", "sizeof the block as the type's header says",
              kBlockSize),
    CONTAINER("block-size-of-next-type", kStride<table_shifted>,
              "The table of block sizes is shifted by one type", "All block types",
              "Garbage; block 0 is right, the rest drifts", "sizeof the block as the type's header says",
              kBlockSize),
    CONTAINER("block-size-without-a-field", kStride<field_missed>,
              "The block is taken to be shorter: Q2_K 72, Q3_K 104, Q4_K 132, Q5_K 144, Q6_K 146, "
              "Q5_0 18, Q5_1 20, Q8_0 32 bytes",
              "Q5_0, Q5_1, Q8_0, Q2_K .. Q6_K", "Garbage; block 0 is right, the rest drifts",
              "sizeof the block as the type's header says", kBlockSize),
    CONTAINER("legacy-type-ids", kConfused<legacy_ids>,
              "Q5_0 is taken for Q5_1, Q5_1 for Q8_0, Q8_0 for Q5_0; the ids are 6, 7, 8", "Q5_0, Q5_1, Q8_0",
              "Garbage; files that the engine wrote itself are fine", "6 = Q5_0, 7 = Q5_1, 8 = Q8_0",
              "F29: https://github.com/chrishayuk/larql/pull/412"),
    CONTAINER("k-type-ids-one-low", kConfused<k_ids_low>, "A K type is taken for the next smaller one",
              "Q3_K .. Q6_K", kGarbage, "10 = Q2_K .. 14 = Q6_K",
              "F29: https://github.com/1bit-MONSTER/1bit-MONSTER/pull/489"),
    CONTAINER("k-type-ids-one-high", kConfused<k_ids_high>, "A K type is taken for the next larger one",
              "Q2_K .. Q5_K", kGarbage, "10 = Q2_K .. 14 = Q6_K",
              "F29: https://github.com/1bit-MONSTER/1bit-MONSTER/pull/489"),
    CONTAINER("type-with-min-confused", kConfused<with_min>,
              "A type is taken for its neighbour with (without) a min: Q4_0 and Q4_1, Q5_0 for Q5_1; MXFP4 "
              "for Q4_0",
              "Q4_0, Q4_1, Q5_0, MXFP4", kGarbage, "2 = Q4_0, 3 = Q4_1, 6 = Q5_0, 39 = MXFP4",
              kFromTheFormat),
    CONTAINER("type-of-same-size-confused", kConfused<same_size>,
              "A type is taken for another with as many bytes: Q4_0 for IQ4_NL, Q3_K and IQ3_S; F16 and F32 "
              "for each other",
              "Q4_0, Q3_K, IQ3_S, F16, F32", kGarbage, "Read each tensor by its own type id", kFromTheFormat),
    CONTAINER("embedding-of-files-type", kConfused<files_type>,
              "token_embd and output are decoded as the type that the other matrices have; they often have "
              "their own",
              "token_embd, output in mixed files (Q4_K_M, ...)",
              "Garbage, or input tokens that all look alike", "Read each tensor by its own type id",
              "from the format: F30 in the catalogue's decision tree, no public report"),
    CONTAINER("first-block-of-row", kFirstBlockOfRow,
              "Only the first block of every row is decoded; the loop over blocks returns early",
              "All block types", "Garbage; the rest of every row is 0", "return after the loop",
              "F26: https://github.com/1bit-MONSTER/1bit-MONSTER/pull/488"),
    CONTAINER("first-block-only", kFirstBlock, "Only the first block of the tensor is decoded",
              "All block types", "Garbage; all else is 0", "return after the loop",
              "F26: https://github.com/1bit-MONSTER/1bit-MONSTER/pull/488"),
    CONTAINER("block-late", kBlockLate, "Block b + 1 is taken for block b", "All block types", kGarbage,
              "Block 0 begins at the tensor's offset", kFromTheFormat),
    CONTAINER("second-half-missing", kFirstHalf,
              "The second half of the rows is 0: a device's part was not loaded", "All matrices", kGarbage,
              "Load all parts before use", kFromTheFormat),
    CONTAINER("tail-rows-64-missing", kTailRows<64>, "Rows behind the last whole tile of 64 are 0",
              "Matrices whose rows are no multiple of 64",
              "The last outputs (rare tokens, the end of a head) are wrong", "Handle the rest of the rows",
              "F53: https://github.com/ggml-org/llama.cpp/commit/87e397d00"),
    CONTAINER("tail-rows-8-missing", kTailRows<8>, "Rows behind the last whole group of 8 are 0",
              "Matrices whose rows are no multiple of 8", "The last outputs are wrong",
              "Handle the rest of the rows",
              "F53: https://github.com/ikawrakow/ik_llama.cpp/commit/ce3ce97a2"),
    CONTAINER("last-row-missing", kLastRow, "The last row is 0: the loop ends one row early", "All matrices",
              "The last output is wrong", "row < n_rows",
              "from the format: F54 in the catalogue's signatures, no public report"),
    CONTAINER("odd-block-missing", kOddBlock,
              "The last block of a row with an odd number of blocks is 0: the loop takes two at a time",
              "Rows of an odd number of blocks", "Worse text to garbage", "Handle the last block",
              "F53: https://github.com/ggml-org/ggml/commit/0cb347e7"),
};
#undef CONTAINER

}  // namespace

extern const std::span<const Fault> faults_container{kFaults};

}  // namespace assay
