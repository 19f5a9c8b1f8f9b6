// Damaged files load or throw LoadError: cut at every byte, and with every byte changed.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "gguf/exercise.h"
#include "gguf/raw_gguf.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

/// A copy in memory of its own, so that a sanitizer sees a read past its end.
std::string exercise(std::span<const std::byte> bytes) {
  const std::vector<std::byte> copy(bytes.begin(), bytes.end());
  return load_and_exercise(copy);
}

/// A file whose head is about 2 KB: every type of value, and twenty tensors.
std::vector<std::byte> base_file() {
  std::map<std::string, uint64_t> offsets;
  RawGguf file = small_gguf();
  file.pair("general.alignment").value = raw(uint32_t(8));
  file.alignment = 8;
  file.pairs.push_back({"f64", 12, raw(1.5)});
  file.pairs.push_back({"i64", 11, raw(int64_t(-5))});
  file.pairs.push_back({"u64", 10, raw(uint64_t(5))});
  file.pairs.push_back({"f32", 6, raw(0.5f)});
  file.pairs.push_back({"i16", 3, raw(int16_t(-5))});
  file.pairs.push_back({"flags", 9, raw(uint32_t(7)) + raw(uint64_t(2)) + std::string("\0\1", 2)});
  file.tensors.clear();
  for (uint64_t i = 0; i < 20; ++i)
    file.tensors.push_back(
        {"blk." + std::to_string(i) + ".attn_norm.weight", {4, 2}, i % 2 == 0 ? 0u : 30u, i * 32});
  file.data_bytes = 20 * 32;
  const std::string text = file.bytes(offsets);
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

TEST(DamagedGguf, CutAtEveryByteIsRefused) {
  const std::vector<std::byte> whole = base_file();
  ASSERT_EQ(exercise(whole), "");
  const size_t last_padding = 16;  // the last tensor is BF16: 16 bytes of 32
  for (size_t n_bytes = 0; n_bytes < whole.size() - last_padding; ++n_bytes)
    EXPECT_NE(exercise(std::span(whole).first(n_bytes)), "") << n_bytes;
  for (size_t n_bytes = whole.size() - last_padding; n_bytes < whole.size(); ++n_bytes)
    EXPECT_EQ(exercise(std::span(whole).first(n_bytes)), "") << n_bytes;
}

TEST(DamagedGguf, EveryByteChangedLoadsOrIsRefused) {
  std::vector<std::byte> bytes = base_file();
  ASSERT_GT(bytes.size(), 2000u);
  const size_t n_mutated = std::min<size_t>(bytes.size(), 2048);
  size_t n_loaded = 0, n_refused = 0;
  for (size_t i = 0; i < n_mutated; ++i) {
    const std::byte original = bytes[i];
    const auto b = std::to_integer<unsigned>(original);
    for (const unsigned value : {0u, 1u, 9u, 0x80u, 0xffu, b ^ 1u, b ^ 0x20u, b + 1u}) {
      bytes[i] = std::byte(value & 0xff);
      ++(exercise(bytes).empty() ? n_loaded : n_refused);
    }
    bytes[i] = original;
  }
  // Names and values may change freely, structure may not: both must happen.
  EXPECT_GT(n_loaded, 1000u);
  EXPECT_GT(n_refused, 1000u);
}

RC_GTEST_PROP(DamagedGguf, SeveralChangesAtOnceLoadOrAreRefused, ()) {
  static const std::vector<std::byte> base = base_file();
  std::vector<std::byte> bytes = base;
  const int n_changes = *rc::gen::inRange(1, 9);
  for (int i = 0; i < n_changes; ++i) {
    const size_t at = *rc::gen::inRange<size_t>(0, bytes.size());
    switch (*rc::gen::inRange(0, 3)) {
      case 0:
        bytes[at] = std::byte(*rc::gen::arbitrary<uint8_t>());
        break;
      case 1:
        bytes.insert(bytes.begin() + std::ptrdiff_t(at), size_t(*rc::gen::inRange(1, 17)), std::byte{0});
        break;
      default:
        bytes.resize(at + 1);
    }
  }
  exercise(bytes);
}

/// The fuzzer's seeds and everything that it ever found.
TEST(DamagedGguf, FuzzingSeedsLoadOrAreRefused) {
  const fs::path folder = fs::path(ASSAY_SOURCE_DIR) / "fuzz/seeds/gguf";
  size_t n_seeds = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename().string());
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    EXPECT_NO_THROW(exercise(std::as_bytes(std::span(text))));
    ++n_seeds;
  }
  EXPECT_GT(n_seeds, 0u);
}

}  // namespace
}  // namespace assay
