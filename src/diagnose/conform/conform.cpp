#include "diagnose/conform/conform.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/atomic_file.h"
#include "base/load_error.h"
#include "diagnose/conform/misread.h"
#include "diagnose/dumps/dump.h"
#include "quant/fields.h"

namespace assay {
namespace {

using Block = std::vector<std::byte>;

std::vector<float> decode(const QuantType& type, std::span<const std::byte> blocks) {
  std::vector<float> w(blocks.size() / type.block_bytes * type.block_elems);
  type.dequantize(blocks.data(), blocks.size() / type.block_bytes, w.data());
  return w;
}

/// Weights that change when a bit of the block is flipped.
std::vector<size_t> influenced(const QuantType& type, Block block, BlockBit b) {
  const std::vector<float> before = decode(type, block);
  block[b.byte] ^= std::byte(1u << b.bit);
  const std::vector<float> after = decode(type, block);
  std::vector<size_t> changed;
  for (size_t i = 0; i < before.size(); ++i)
    if (!same_weight(before[i], after[i])) changed.push_back(i);
  return changed;
}

bool finite(const QuantType& type, const Block& block) {
  return std::ranges::all_of(decode(type, block), [](float x) { return std::isfinite(x); });
}

/// A block of random bits with finite weights, not all of them zero.
Block random_block(const QuantType& type, std::mt19937& rng) {
  Block block(type.block_bytes);
  do {
    for (std::byte& b : block) b = std::byte(rng());
  } while (!finite(type, block) || std::ranges::all_of(decode(type, block), [](float x) { return x == 0; }));
  return block;
}

/// The block with one field of two bytes set, or with every other field filled.
Block with_step(Block block, const BlockField& field, uint16_t half) {
  std::memcpy(block.data() + field.first_byte, &half, 2);
  return block;
}
bool is_step(const BlockField& field) {
  return field.n_bytes == 2 && (field.what.starts_with("f16"));
}

std::vector<Block> extremes(const QuantType& type, std::mt19937& rng) {
  std::vector<Block> list;
  for (const std::byte fill : {std::byte(0), std::byte(255), std::byte(0x55), std::byte(0xAA)}) {
    Block block = random_block(type, rng);
    for (const BlockField& field : block_fields(type))
      if (!is_step(field)) std::fill_n(block.begin() + field.first_byte, field.n_bytes, fill);
    list.push_back(block);
  }
  for (const BlockField& field : block_fields(type)) {
    if (!is_step(field)) continue;
    for (const uint16_t half :
         {0x0000, 0x0001, 0x03FF, 0x0400, 0x3C00, 0x8001, 0x83FF, 0xBC00, 0x5BFF, 0xDBFF})
      list.push_back(with_step(random_block(type, rng), field, half));
  }
  std::erase_if(list, [&](const Block& block) { return !finite(type, block); });
  return list;
}

uint64_t fnv1a(std::span<const std::byte> bytes) {
  uint64_t h = 0xCBF29CE484222325;
  for (const std::byte b : bytes) h = (h ^ uint64_t(b)) * 0x100000001B3;
  return h;
}

nlohmann::ordered_json write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
  return {{"file", path.filename().string()},
          {"bytes", bytes.size()},
          {"fnv1a_64", fmt::format("{:016x}", fnv1a(bytes))}};
}

/// A whole file of at most 64 MiB.
Block read_file(const std::filesystem::path& path) {
  constexpr uint64_t kMost = 64 << 20;
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  if (error) throw UsageError(path.string() + ": " + error.message());
  if (size > kMost) throw BadValue({path.string(), "file", kMost}, "is longer than any export");
  Block bytes(size);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), std::streamsize(size));
  if (!file) throw MachineError(path.string() + ": cannot be read");
  return bytes;
}

}  // namespace

ConformanceSet make_conformance_set(const QuantType& type) {
  constexpr size_t kTries = 3000, kAtLeast = 8;
  std::mt19937 rng(type.id + 1);
  ConformanceSet set{&type, {}, {}, {}};
  std::vector<BlockBit> open;
  for (size_t byte = 0; byte < type.block_bytes; ++byte)
    for (unsigned bit = 0; bit < 8; ++bit) open.push_back({byte, bit});
  const auto take = [&](const Block& block) {
    const bool useful =
        std::erase_if(open, [&](BlockBit b) { return !influenced(type, block, b).empty(); }) > 0;
    return useful;
  };
  const auto keep = [&](const Block& block) {
    set.blocks.insert(set.blocks.end(), block.begin(), block.end());
  };
  for (const Block& block : extremes(type, rng)) {
    take(block);
    keep(block);
  }
  for (size_t k = 0; k < kTries && (!open.empty() || k < kAtLeast); ++k) {
    const Block block = random_block(type, rng);
    if (take(block) || k < kAtLeast) keep(block);
  }
  set.unread = open;
  set.expected = decode(type, set.blocks);
  return set;
}

void export_conformance(const std::filesystem::path& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) throw MachineError(dir.string() + ": " + error.message());
  nlohmann::ordered_json types = nlohmann::ordered_json::array();
  for (const QuantType& type : quant_types()) {
    const ConformanceSet set = make_conformance_set(type);
    nlohmann::ordered_json fields = nlohmann::ordered_json::array(), unread = nlohmann::ordered_json::array();
    for (const BlockField& field : block_fields(type))
      fields.push_back({{"name", field.name},
                        {"first_byte", field.first_byte},
                        {"bytes", field.n_bytes},
                        {"what", field.what}});
    for (const BlockBit& b : set.unread) unread.push_back({{"byte", b.byte}, {"bit", b.bit}});
    const std::string name(type.name);
    types.push_back(
        {{"name", name},
         {"id", type.id},
         {"block_weights", type.block_elems},
         {"block_bytes", type.block_bytes},
         {"n_blocks", set.n_blocks()},
         {"blocks", write_file(dir / (name + ".blocks"), set.blocks)},
         {"expected", write_file(dir / (name + ".expected.f32"), std::as_bytes(std::span(set.expected)))},
         {"answer", name + ".answer.f32"},
         {"fields", fields},
         {"unread_bits", unread}});
  }
  const nlohmann::ordered_json manifest = {
      {"format", "assay conformance"}, {"version", 1}, {"byte_order", "little"}, {"types", types}};
  AtomicFile file(dir / "manifest.json");
  file.write(manifest.dump(1) + "\n");
  file.commit();
}

ConformanceMark mark(const QuantType& type, std::span<const std::byte> blocks,
                     std::span<const float> answers) {
  const std::vector<float> expected = decode(type, blocks);
  ConformanceMark m{&type, true, expected.size(), 0, 0, 0, 0, 0, {}, {}};
  std::vector<bool> wrong(expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    wrong[i] = !same_weight(expected[i], answers[i]);
    if (wrong[i] && m.n_wrong++ == 0) m.first_wrong = i, m.expected = expected[i], m.found = answers[i];
  }
  if (m.n_wrong == 0) return m;
  for (size_t k = 0; k < expected.size(); k += type.block_elems)
    m.n_blocks_wrong +=
        std::find(wrong.begin() + ptrdiff_t(k), wrong.begin() + ptrdiff_t(k + type.block_elems), true) !=
        wrong.begin() + ptrdiff_t(k + type.block_elems);
  for (const Fault* fault : faults())
    if (const QuantType* faulty = faulty_type(*fault, type))
      if (std::ranges::equal(decode(*faulty, blocks), answers, same_weight)) m.faults.push_back(fault);
  if (m.faults.empty()) m.misread = misread_fields(type, blocks, answers);
  return m;
}

std::vector<ConformanceMark> check_conformance(const std::filesystem::path& dir) {
  std::vector<ConformanceMark> marks;
  for (const QuantType& type : quant_types()) {
    const std::filesystem::path path = dir / (std::string(type.name) + ".blocks");
    if (!std::filesystem::exists(path)) continue;
    const Block blocks = read_file(path);
    if (blocks.empty() || blocks.size() % type.block_bytes != 0)
      throw BadValue({path.string(), "blocks", blocks.size()},
                     fmt::format("is no multiple of {} bytes", type.block_bytes));
    const size_t n_weights = blocks.size() / type.block_bytes * type.block_elems;
    const std::filesystem::path raw = dir / (std::string(type.name) + ".answer.f32"),
                                npy = dir / (std::string(type.name) + ".answer.npy");
    std::vector<float> answers;
    if (std::filesystem::exists(raw)) {
      const Block bytes = read_file(raw);
      if (bytes.size() != 4 * n_weights)
        throw BadValue(
            {raw.string(), "answer", std::min<uint64_t>(bytes.size(), 4 * n_weights)},
            fmt::format("has {} bytes, {} weights have {}", bytes.size(), n_weights, 4 * n_weights));
      answers.resize(n_weights);
      std::memcpy(answers.data(), bytes.data(), bytes.size());
    } else if (std::filesystem::exists(npy)) {
      const Dump dump = Dump::open(npy);
      const DumpTensor& tensor = dump.need("");
      if (tensor.n_values != n_weights)
        throw ShapeMismatch(dump.place(tensor), fmt::format("has shape {}, the blocks have {} weights",
                                                            shape_text(tensor.shape), n_weights));
      answers = tensor.f32();
    } else {
      marks.push_back({&type, false, n_weights, 0, 0, 0, 0, 0, {}, {}});
      continue;
    }
    marks.push_back(mark(type, blocks, answers));
  }
  if (marks.empty())
    throw UsageError(dir.string() + ": has no export; make one with: assay conform export DIR");
  return marks;
}

}  // namespace assay
