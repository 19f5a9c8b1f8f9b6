#include "diagnose/weights/weights_finding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>

#include "base/half.h"
#include "gguf/writer.h"

namespace assay {
namespace {

using Verdict = Finding::Verdict;

std::vector<std::byte> golden_blocks(const QuantType& type, const char* kind) {
  std::ifstream file(std::filesystem::path(ASSAY_SOURCE_DIR) / "tests/golden/quant" /
                         (std::string(type.name) + kind + ".blocks"),
                     std::ios::binary);
  EXPECT_TRUE(file) << type.name;
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto view = std::as_bytes(std::span(bytes));
  return {view.begin(), view.end()};
}

/// n_bytes of golden blocks from block `first` on, over and over.
std::vector<std::byte> tiled(const std::vector<std::byte>& blocks, size_t first, const QuantType& type,
                             size_t n_blocks) {
  std::vector<std::byte> bytes;
  const size_t n_golden = blocks.size() / type.block_bytes;
  for (size_t k = 0; k < n_blocks; ++k) {
    const auto begin = blocks.begin() + ptrdiff_t((first + k) % n_golden * type.block_bytes);
    bytes.insert(bytes.end(), begin, begin + type.block_bytes);
  }
  return bytes;
}

/// A .npy of `values`, kept in memory.
struct Npy {
  Npy(std::span<const float> values, std::vector<uint64_t> shape, DumpType type = DumpType::f32) {
    std::string dims;
    for (const uint64_t n : shape) dims += std::to_string(n) + ",";
    const std::string header = std::string("{'descr': '") + (type == DumpType::f16 ? "<f2" : "<f4") +
                               "', 'fortran_order': False, 'shape': (" + dims + ")}";
    bytes = std::string("\x93NUMPY\x01", 7) + '\0' + char(header.size() & 255) + char(header.size() >> 8) +
            header;
    for (const float v : values) {
      // There is no bf16 in .npy: such dumps are f32 numbers that bf16 can hold.
      const float stored = type == DumpType::bf16 ? bf16_to_float(float_to_bf16(v)) : v;
      const uint16_t half = float_to_half(v);
      bytes.append(type == DumpType::f16 ? reinterpret_cast<const char*>(&half)
                                         : reinterpret_cast<const char*>(&stored),
                   type == DumpType::f16 ? 2 : 4);
    }
  }
  std::string bytes;
};

Finding judge(const StoredTensor& tensor, std::span<const float> values, std::vector<uint64_t> shape,
              DumpType type = DumpType::f32,
              std::optional<std::pair<uint64_t, uint64_t>> rows = std::nullopt) {
  const Npy npy(values, std::move(shape), type);
  const Dump dump = Dump::parse(std::as_bytes(std::span(npy.bytes)), "dump.npy");
  return judge_weights(tensor, dump, dump.tensors()[0], rows);
}

std::string summary(const Finding& f) {
  std::string text = std::string(verdict_name(f.verdict)) + " at " + f.place + ":";
  for (const auto& c : f.candidates) text += " " + std::string(c.fault->id);
  for (const auto& figure : f.figures) text += "\n  " + figure;
  return text;
}

bool names(const Finding& f, const Fault& fault) {
  if (f.verdict != Verdict::fault && f.verdict != Verdict::shortlist) return false;
  for (const auto& c : f.candidates)
    if (c.fault == &fault) return true;
  return false;
}

std::vector<float> decoded(const StoredTensor& tensor, const QuantType& type) {
  std::vector<float> values(tensor.info.n_elements);
  type.dequantize(tensor.file.data(tensor.info).data(), values.size() / type.block_elems, values.data());
  return values;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i] && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  return true;
}

/// One tensor of three blocks a row.
struct OneTensor {
  OneTensor(const QuantType& type, const std::vector<std::byte>& blocks) : blocks(blocks) {
    n_rows = blocks.size() / type.block_bytes / 3;
    n_cols = 3u * type.block_elems;
    GgufWriter writer;
    writer.add("general.architecture", "llama");
    writer.add_tensor("blk.0.ffn_down.weight", type, std::array{n_cols, n_rows},
                      std::span(this->blocks).first(n_rows * 3 * type.block_bytes));
    bytes = writer.to_bytes();
    file = GgufFile::parse(bytes, "one.gguf");
  }
  StoredTensor tensor() const { return {file, file.tensors()[0]}; }
  std::vector<uint64_t> shape() const { return {n_rows, n_cols}; }

  std::vector<std::byte> blocks, bytes;
  uint64_t n_rows, n_cols;
  GgufFile file = GgufFile::parse(GgufWriter().to_bytes(), "none");
};

bool is_main_type(const QuantType& type) {
  return type.name == "Q8_0" || type.name == "Q6_K" || type.name == "Q5_K" || type.name == "Q4_K";
}

TEST(WeightsFinding, NamesEveryDecodeFaultInEveryType) {
  size_t n_dumps = 0, n_alone = 0;
  for (const QuantType& type : quant_types()) {
    if (type.name == "F32") continue;
    for (const char* kind : {".raw", ".encoded"}) {
      const OneTensor one(type, golden_blocks(type, kind));
      const auto truth = decoded(one.tensor(), type);
      for (const Fault* fault : faults()) {
        const QuantType* faulty = faulty_type(*fault, type);
        if (!faulty) continue;
        const auto values = decoded(one.tensor(), *faulty);
        if (same(values, truth)) continue;  // e.g. no subnormal d among the encoded blocks; raw ones have all
        const Finding f = judge(one.tensor(), values, one.shape());
        EXPECT_TRUE(names(f, *fault)) << type.name << kind << " " << fault->id << ": " << summary(f);
        ++n_dumps;
        n_alone += f.verdict == Verdict::fault;
      }
    }
  }
  EXPECT_GT(n_dumps, 300u);
  std::printf("%zu dumps of faulty decoders named, %zu of them with one name\n", n_dumps, n_alone);
  EXPECT_GE(20 * n_alone, 19 * n_dumps);
}

TEST(WeightsFinding, NamesDecodeFaultsInDumpsOf16Bits) {
  for (const QuantType& type : quant_types()) {
    if (!is_main_type(type)) continue;
    const OneTensor one(type, golden_blocks(type, ".encoded"));
    const auto truth = decoded(one.tensor(), type);
    for (const DumpType dump_type : {DumpType::f16, DumpType::bf16}) {
      const Finding healthy = judge(one.tensor(), truth, one.shape(), dump_type);
      EXPECT_EQ(healthy.verdict, Verdict::no_fault) << type.name << ": " << summary(healthy);
      for (const Fault* fault : faults()) {
        const QuantType* faulty = faulty_type(*fault, type);
        if (!faulty) continue;
        const auto values = decoded(one.tensor(), *faulty);
        if (same(values, truth)) continue;
        const Finding f = judge(one.tensor(), values, one.shape(), dump_type);
        EXPECT_TRUE(names(f, *fault)) << type.name << " " << fault->id << ": " << summary(f);
      }
    }
  }
}

TEST(WeightsFinding, HealthyDumpsOfEveryTypeHaveNoFault) {
  for (const QuantType& type : quant_types()) {
    if (type.name == "F32") continue;
    const OneTensor one(type, golden_blocks(type, ".encoded"));
    const auto truth = decoded(one.tensor(), type);
    for (const DumpType dump_type : {DumpType::f32, DumpType::f16, DumpType::bf16})
      EXPECT_EQ(judge(one.tensor(), truth, one.shape(), dump_type).verdict, Verdict::no_fault) << type.name;
    // Flat, transposed, part of the rows, another order of evaluation.
    EXPECT_EQ(judge(one.tensor(), truth, {truth.size()}).verdict, Verdict::no_fault);
    std::vector<float> turned(truth.size());
    for (size_t i = 0; i < truth.size(); ++i) turned[i % one.n_cols * one.n_rows + i / one.n_cols] = truth[i];
    EXPECT_EQ(judge(one.tensor(), turned, {one.n_cols, one.n_rows}).verdict, Verdict::no_fault) << type.name;
    EXPECT_EQ(judge(one.tensor(), std::span(truth).subspan(one.n_cols, one.n_cols), {1, one.n_cols},
                    DumpType::f32, std::pair(1, 2))
                  .verdict,
              Verdict::no_fault);
    if (!type.integers) continue;
    std::vector<float> fused(truth.size());
    IntegerBlock b;
    for (size_t i = 0; i < truth.size(); ++i) {
      const size_t in_block = i % type.block_elems, s = in_block / type.sub_elems;
      if (in_block == 0) type.integers(one.blocks.data() + i / type.block_elems * type.block_bytes, b);
      fused[i] = float(double(b.d) * (b.scale[s] * b.q[in_block]) -
                       (type.has_mins ? double(b.dmin) * b.min[s] : 0.0));
    }
    EXPECT_EQ(judge(one.tensor(), fused, one.shape()).verdict, Verdict::no_fault) << type.name;
  }
}

/// A file with every role that a layout fault can touch.
struct Layouts {
  explicit Layouts(const QuantType& type) {
    hparams.n_heads = 8;
    hparams.n_kv_heads = 4;
    hparams.head_dim = 32;
    hparams.d_ff = 96;
    hparams.d_model = 256;
    hparams.rope.frequencies = {1, 0.1};
    const QuantType& f32 = *find_quant_type("F32");
    GgufWriter writer;
    writer.add("general.architecture", "llama");
    const auto golden = golden_blocks(type, ".encoded");
    const auto add = [&](const std::string& name, std::vector<uint64_t> dims, const QuantType& of) {
      uint64_t n = 1;
      for (const uint64_t d : dims) n *= d;
      if (of.id == type.id) {
        // A block of its own for each place: golden blocks with their codes turned.
        std::vector<std::byte>& bytes =
            stored.emplace_back(tiled(golden, stored.size() * 5, type, n / type.block_elems));
        const BlockTail tail = tail_of(type);
        for (size_t k = 0; k < bytes.size(); ++k)
          if (k % type.block_bytes >= tail.begin && k % type.block_bytes < tail.end)
            bytes[k] = std::byte(random());
        writer.add_tensor(name, type, dims, bytes);
      } else {
        std::vector<std::byte>& bytes = stored.emplace_back(n * 4);
        for (size_t k = 0; k < n; ++k) {
          const float value = float(int(random() % 2000) - 1000) / 1024;
          std::memcpy(bytes.data() + 4 * k, &value, 4);
        }
        writer.add_tensor(name, of, dims, bytes);
      }
    };
    add("token_embd.weight", {256, 100}, type);
    add("output.weight", {256, 100}, *find_quant_type("F32"));
    for (const std::string layer : {"blk.0.", "blk.1."}) {
      add(layer + "attn_norm.weight", {256}, f32);
      add(layer + "ffn_norm.weight", {256}, f32);
      add(layer + "attn_q.weight", {256, 256}, type);
      add(layer + "attn_k.weight", {256, 128}, type);
      add(layer + "attn_v.weight", {256, 128}, type);
      add(layer + "attn_output.weight", {256, 256}, type);
      add(layer + "ffn_gate.weight", {256, 96}, type);
      add(layer + "ffn_up.weight", {256, 96}, type);
      add(layer + "ffn_down.weight", {768, 84}, type);
    }
    add("blk.2.attn_qkv.weight", {256, 512}, type);
    add("blk.2.ffn_up.weight", {256, 192}, type);
    add("blk.2.ffn_gate_exps.weight", {256, 24, 4}, type);
    add("blk.2.ssm_a", {16}, f32);
    add("blk.2.ssm_x.weight", {48, 12}, f32);
    bytes = writer.to_bytes();
    file = GgufFile::parse(bytes, "layouts.gguf");
  }
  /// Bytes of a block that hold codes alone, whatever is put there.
  struct BlockTail {
    size_t begin, end;
  };
  static BlockTail tail_of(const QuantType& type) {
    if (type.name == "Q6_K") return {0, 192};
    if (type.name == "Q8_0") return {2, 34};
    return {16, type.block_bytes};
  }

  std::mt19937 random{11};
  Hparams hparams;
  std::deque<std::vector<std::byte>> stored;
  std::vector<std::byte> bytes;
  GgufFile file = GgufFile::parse(GgufWriter().to_bytes(), "none");
};

TEST(WeightsFinding, NamesEveryLayoutFault) {
  std::map<std::string_view, size_t> n_named;
  for (const Fault* fault : faults())
    if (std::holds_alternative<LayoutFault>(fault->injection)) n_named[fault->id] = 0;
  for (const QuantType& type : quant_types()) {
    if (!is_main_type(type)) continue;
    Layouts layouts(type);
    for (const Rope::Pairs pairs : {Rope::Pairs::adjacent, Rope::Pairs::halves}) {
      layouts.hparams.rope.pairs = pairs;
      for (const TensorInfo& info : layouts.file.tensors()) {
        // All tensors in one type; in the others those that between them have most layouts.
        const bool is_chosen = info.name == "blk.0.attn_k.weight" || info.name == "blk.0.ffn_down.weight";
        if (info.name.starts_with("blk.1.") && info.name != "blk.1.attn_v.weight") continue;
        if (type.name != "Q4_K" && !is_chosen) continue;
        if (pairs == Rope::Pairs::halves && info.name != "blk.0.attn_q.weight") continue;
        const StoredTensor tensor{layouts.file, info, &layouts.hparams};
        const auto truth = decoded(tensor, *info.type);
        for (const Fault* fault : faults()) {
          const auto* layout = std::get_if<LayoutFault>(&fault->injection);
          if (!layout || !layout->touches(tensor)) continue;
          std::vector<float> values(info.n_elements);
          layout->decode(tensor, values);
          EXPECT_FALSE(same(values, truth)) << fault->id << " does not touch " << info.name;
          std::vector<uint64_t> shape(info.dims, info.dims + info.n_dims);
          std::ranges::reverse(shape);
          const Finding f = judge(tensor, values, shape);
          EXPECT_TRUE(names(f, *fault))
              << type.name << " " << info.name << " " << fault->id << ": " << summary(f);
          n_named[fault->id] += f.verdict == Verdict::fault || f.verdict == Verdict::shortlist;
        }
      }
    }
  }
  // Only types that are none of the four.
  const std::set<std::string_view> elsewhere{"type-with-min-confused"};
  for (const auto& [id, n] : n_named)
    EXPECT_TRUE(n > 0 || elsewhere.contains(id)) << id << " was never tried";
}

TEST(WeightsFinding, FindsADecoderAndALayoutFaultTogether) {
  const QuantType& type = *find_quant_type("Q4_K");
  const Layouts layouts(type);
  const TensorInfo& info = *layouts.file.find("blk.0.ffn_gate.weight");
  const Fault &decoder = need_fault("min-sign"), &layout = need_fault("row-late");
  TensorInfo faulty = info;
  faulty.type = faulty_type(decoder, type);
  std::vector<float> values(info.n_elements);
  std::get<LayoutFault>(layout.injection).decode({layouts.file, faulty}, values);
  const Finding f = judge({layouts.file, info, &layouts.hparams}, values, {96, 256});
  EXPECT_TRUE(names(f, decoder) && names(f, layout)) << summary(f);
}

// Faults that are not in the list: the place is named, and nothing else.
TEST(WeightsFinding, LocatesWhatNoEntryExplains) {
  struct Case {
    const char *what, *type;
    void (*change)(IntegerBlock& b);
    std::vector<const char*> says;
  };
  for (const Case& c : {
           Case{"scale of sub-block 5",
                "Q4_K",
                [](IntegerBlock& b) { b.scale[5] = int16_t((b.scale[5] + 9) & 63); },
                {"scale of sub-block 5", "scales"}},
           Case{"min of sub-block 2",
                "Q5_K",
                [](IntegerBlock& b) { b.min[2] = int16_t(b.min[2] / 2); },
                {"min of sub-block 2", "scales"}},
           Case{"high bit of 64..95",
                "Q5_K",
                [](IntegerBlock& b) {
                  for (size_t i = 64; i < 96; ++i) b.q[i] &= 15;
                },
                {"codes of weights 64..95", "qh (bytes 16-47, bit 2)"}},
           Case{"d", "Q6_K", [](IntegerBlock& b) { b.d *= 3; }, {"d of", "d (bytes 208-209"}},
           Case{"low bit of one weight",
                "Q8_0",
                [](IntegerBlock& b) { b.q[7] = int8_t(b.q[7] ^ 1); },
                {"codes of weights 7 ", "q (byte 9, bit 0)"}},
           Case{"top bits of 128..159",
                "Q6_K",
                [](IntegerBlock& b) {
                  for (size_t i = 128; i < 160; ++i) b.q[i] = int8_t(((b.q[i] + 32) & 47) - 32);
                },
                {"codes of weights 128..159", "qh (bytes 160-191, bit 0)"}},
           Case{"order",
                "Q4_K",
                [](IntegerBlock& b) {
                  for (size_t s = 0; s < 8; ++s) std::reverse(b.q + 32 * s, b.q + 32 * s + 32);
                },
                {"order of the weights", "qs"}},
       }) {
    const QuantType& type = *find_quant_type(c.type);
    const OneTensor one(type, golden_blocks(type, ".encoded"));
    std::vector<float> values;
    for (size_t k = 0; k < one.n_rows * 3; ++k) {
      IntegerBlock b;
      type.integers(one.blocks.data() + k * type.block_bytes, b);
      c.change(b);
      for (size_t i = 0; i < type.block_elems; ++i) {
        const size_t s = i / type.sub_elems;
        float w = b.d * float(b.scale[s]) * float(b.q[i]);
        if (type.has_mins) w -= b.dmin * float(b.min[s]);
        values.push_back(w);
      }
    }
    for (const DumpType dump_type : {DumpType::f32, DumpType::f16}) {
      const Finding f = judge(one.tensor(), values, one.shape(), dump_type);
      EXPECT_EQ(f.verdict, Verdict::unknown_fault) << c.what << ": " << summary(f);
      EXPECT_TRUE(f.candidates.empty());
      for (const char* text : c.says)
        EXPECT_NE(f.place.find(text), std::string::npos)
            << c.what << ", not \"" << text << "\": " << summary(f);
    }
  }
}

TEST(WeightsFinding, FindsOtherTensorsAndMovedRows) {
  const QuantType& type = *find_quant_type("Q6_K");
  const Layouts layouts(type);
  const StoredTensor q{layouts.file, *layouts.file.find("blk.0.attn_q.weight"), &layouts.hparams};
  const StoredTensor other{layouts.file, *layouts.file.find("blk.1.attn_output.weight"), &layouts.hparams};
  const Finding held = judge(q, decoded(other, type), {256, 256});
  EXPECT_EQ(held.verdict, Verdict::unknown_fault);
  EXPECT_NE(held.place.find("values of blk.1.attn_output.weight"), std::string::npos) << summary(held);

  const auto truth = decoded(q, type);
  std::vector<float> moved;
  for (size_t r = 0; r < 256; ++r)
    moved.insert(moved.end(), truth.begin() + ptrdiff_t((r * 37 + 5) % 256 * 256),
                 truth.begin() + ptrdiff_t((r * 37 + 5) % 256 * 256 + 256));
  const Finding rows = judge(q, moved, {256, 256});
  EXPECT_EQ(rows.verdict, Verdict::unknown_fault);
  EXPECT_NE(rows.place.find("0 is 5"), std::string::npos) << summary(rows);
}

TEST(WeightsFinding, RefusesWhatTheDataCannotCarry) {
  const QuantType& f32 = *find_quant_type("F32");
  const std::vector<float> ones(64, 1);
  GgufWriter writer;
  writer.add("general.architecture", "llama");
  writer.add_tensor("output_norm.weight", f32, std::array<uint64_t, 1>{64}, std::as_bytes(std::span(ones)));
  const auto bytes = writer.to_bytes();
  const GgufFile file = GgufFile::parse(bytes, "ones.gguf");
  const StoredTensor tensor{file, file.tensors()[0]};
  EXPECT_EQ(judge(tensor, ones, {64}).verdict, Verdict::not_enough_data);
  EXPECT_THROW(judge(tensor, std::vector<float>(63, 1), {63}), ShapeMismatch);
  EXPECT_THROW(judge(tensor, ones, {64}, DumpType::f32, std::pair(1, 1)), UsageError);
  EXPECT_THROW(judge(tensor, ones, {64}, DumpType::f32, std::pair(0, 2)), UsageError);
}

}  // namespace
}  // namespace assay
