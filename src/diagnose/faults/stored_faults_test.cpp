// Decoder and layout faults: each does what it says to something, and nothing to memory.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>

#include "diagnose/faults/fault.h"
#include "gguf/writer.h"

namespace assay {
namespace {

std::vector<std::byte> golden_blocks(const QuantType& type) {
  std::vector<std::byte> blocks;
  if (type.name == "F32") return blocks;
  for (const char* kind : {".raw.blocks", ".encoded.blocks"}) {
    std::ifstream file(
        std::filesystem::path(ASSAY_SOURCE_DIR) / "tests/golden/quant" / (std::string(type.name) + kind),
        std::ios::binary);
    EXPECT_TRUE(file) << type.name;
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const auto view = std::as_bytes(std::span(bytes));
    blocks.insert(blocks.end(), view.begin(), view.end());
  }
  return blocks;
}

std::vector<float> decoded(const QuantType& type, const std::vector<std::byte>& blocks) {
  std::vector<float> values(blocks.size() / type.block_bytes * type.block_elems);
  type.dequantize(blocks.data(), blocks.size() / type.block_bytes, values.data());
  return values;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i] && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  return true;
}

TEST(DecodeFaults, EveryFaultyRowDecodesSomeGoldenBlockDifferently) {
  size_t n_rows = 0;
  for (const Fault* fault : faults()) {
    const auto* decode = std::get_if<DecodeFault>(&fault->injection);
    if (!decode) continue;
    EXPECT_FALSE(decode->types.empty()) << fault->id;
    std::set<uint32_t> ids;
    for (const QuantType& faulty : decode->types) {
      const QuantType* healthy = find_quant_type(faulty.id);
      ASSERT_NE(healthy, nullptr) << fault->id;
      EXPECT_TRUE(ids.insert(faulty.id).second) << fault->id;
      EXPECT_EQ(faulty.name, healthy->name);
      EXPECT_EQ(faulty.block_bytes, healthy->block_bytes);
      EXPECT_EQ(faulty.block_elems, healthy->block_elems);
      EXPECT_EQ(faulty_type(*fault, *healthy), &faulty);
      const auto blocks = golden_blocks(*healthy);
      EXPECT_FALSE(same(decoded(*healthy, blocks), decoded(faulty, blocks)))
          << fault->id << " " << faulty.name;
      ++n_rows;
    }
  }
  EXPECT_GE(n_rows, 200u);
}

// The integers of a faulty row, where it has them, give its weights: backends that work with integers see the
// same fault.
TEST(DecodeFaults, IntegersGiveTheFaultyWeights) {
  for (const Fault* fault : faults()) {
    const auto* decode = std::get_if<DecodeFault>(&fault->injection);
    if (!decode) continue;
    for (const QuantType& type : decode->types) {
      if (!type.integers) continue;
      const auto blocks = golden_blocks(type);
      const auto w = decoded(type, blocks);
      for (size_t i = 0; i < w.size(); ++i) {
        IntegerBlock b;
        if (i % type.sub_elems != 0) continue;
        type.integers(blocks.data() + i / type.block_elems * type.block_bytes, b);
        const size_t s = i % type.block_elems / type.sub_elems;
        float expected = b.d * float(b.scale[s]) * float(b.q[i % type.block_elems]);
        if (type.has_mins) expected -= b.dmin * float(b.min[s]);
        ASSERT_TRUE(w[i] == expected || (std::isnan(w[i]) && std::isnan(expected)))
            << fault->id << " " << type.name;
      }
    }
  }
}

TEST(DecodeFaults, NoTwoAreOneOnAllGoldenBlocks) {
  // In these types two mistakes meet: listed, so that a diagnosis that names both is right.
  const std::set<std::set<std::string_view>> known{{"code-twos-complement", "high-bits-inverted"}};
  std::set<std::set<std::string_view>> found;
  for (const QuantType& healthy : quant_types()) {
    const auto blocks = golden_blocks(healthy);
    std::map<const Fault*, std::vector<float>> outputs;
    for (const Fault* fault : faults())
      if (const QuantType* faulty = faulty_type(*fault, healthy)) outputs[fault] = decoded(*faulty, blocks);
    for (auto a = outputs.begin(); a != outputs.end(); ++a)
      for (auto b = std::next(a); b != outputs.end(); ++b)
        if (same(a->second, b->second)) {
          found.insert({a->first->id, b->first->id});
          EXPECT_TRUE(known.contains({a->first->id, b->first->id}))
              << healthy.name << ": " << a->first->id << " = " << b->first->id;
        }
  }
  EXPECT_EQ(found, known);
}

// Layouts read where the tensor is not. Every type, odd shapes, a file that ends with the tensor: the
// sanitizers watch.
TEST(LayoutFaults, NeverReadOutsideTheFile) {
  std::mt19937 random(3);
  Hparams hparams;
  hparams.n_heads = 4;
  hparams.n_kv_heads = 2;
  hparams.head_dim = 6;
  hparams.d_ff = 6;
  hparams.rope.frequencies = {1, 0.1, 0.01};
  const std::string_view names[] = {
      "blk.1.attn_q.weight",   "blk.0.attn_k.weight", "blk.0.attn_qkv.weight",
      "blk.0.ffn_up.weight",   "token_embd.weight",   "output.weight",
      "blk.0.ffn_gate.weight", "blk.0.ssm_a",         "blk.99999999999.attn_k.weight"};
  size_t n_decoded = 0;
  for (const QuantType& type : quant_types())
    for (const std::vector<uint64_t>& shape :
         {std::vector<uint64_t>{1}, {1, 1}, {3, 12}, {1, 24}, {2, 48}, {1, 8, 3}, {1, 5, 2, 2}, {12, 12}}) {
      std::vector<uint64_t> dims = shape;
      dims[0] *= type.block_elems;
      uint64_t n_bytes = type.block_bytes;
      for (const uint64_t n : shape) n_bytes *= n;
      std::vector<std::byte> bytes(n_bytes);
      for (std::byte& b : bytes) b = std::byte(random());
      GgufWriter writer;
      writer.add("general.architecture", "llama");
      for (const std::string_view name : names) writer.add_tensor(name, type, dims, bytes);
      const auto file_bytes = writer.to_bytes();
      const GgufFile file = GgufFile::parse(file_bytes, "odd");
      for (const TensorInfo& info : file.tensors())
        for (const Fault* fault : faults()) {
          const auto* layout = std::get_if<LayoutFault>(&fault->injection);
          if (!layout) continue;
          for (const Hparams* h : {static_cast<const Hparams*>(nullptr), &std::as_const(hparams)}) {
            const StoredTensor tensor{file, info, h};
            if (!layout->touches(tensor)) continue;
            std::vector<float> values(info.n_elements, -12345.5f);
            layout->decode(tensor, values);
            ++n_decoded;
          }
        }
    }
  EXPECT_GT(n_decoded, 10000u);
}

}  // namespace
}  // namespace assay
