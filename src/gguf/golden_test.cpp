// Files that others wrote: tests/golden/gguf/make.py, and llama.cpp (the golden models and vocabularies).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iostream>

#include "gguf/exercise.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

TEST(GoldenGguf, BothVersionsHoldWhatTheScriptWrote) {
  for (const std::string name : {"v2", "v3"}) {
    SCOPED_TRACE(name);
    const fs::path path = fs::path(ASSAY_SOURCE_DIR) / "tests/golden/gguf" / (name + ".gguf");
    const GgufFile file = GgufFile::open(path);
    const Metadata& m = file.metadata();
    EXPECT_EQ(file.version(), name == "v2" ? 2u : 3u);
    EXPECT_EQ(file.alignment(), 64u);
    EXPECT_EQ(file.n_parts(), 1u);
    EXPECT_EQ(file.path(), path.string());
    ASSERT_EQ(m.pairs().size(), 19u);
    EXPECT_EQ(m.pairs()[2].key, "t.u8");
    EXPECT_EQ(m.find_string("general.architecture"), "llama");
    EXPECT_EQ(m.find_uint("t.u8"), 200u);
    EXPECT_EQ(m.find_int("t.i8"), -100);
    EXPECT_EQ(m.find_uint("t.u16"), 60000u);
    EXPECT_EQ(m.find_int("t.i16"), -30000);
    EXPECT_EQ(m.find_uint("t.u32"), 4000000000u);
    EXPECT_EQ(m.find_int("t.i32"), -2000000000);
    EXPECT_EQ(m.find_float("t.f32"), 1.5);
    EXPECT_EQ(m.find_bool("t.bool"), true);
    EXPECT_EQ(m.find_string("t.string"), "h\u00e9llo\n");
    EXPECT_EQ(m.find_uint("t.u64"), UINT64_MAX);
    EXPECT_EQ(m.find_int("t.i64"), INT64_MIN);
    EXPECT_EQ(m.find_float("t.f64"), 1e300);
    EXPECT_THAT(*m.find_ints("t.ints"), ElementsAre(-1, 0, 1));
    EXPECT_THAT(*m.find_floats("t.floats"), ElementsAre(0.5f, -2.0f));
    EXPECT_THAT(*m.find_ints("t.bools"), ElementsAre(1, 0, 1));
    EXPECT_THAT(*m.find_strings("t.strings"), ElementsAre("a", "", "\u4e16"));
    const Array& nested = *m.find_array("t.nested");
    ASSERT_EQ(nested.arrays.size(), 3u);
    EXPECT_THAT(nested.arrays[0].numbers, ElementsAre(std::byte{1}, std::byte{2}));
    EXPECT_THAT(nested.arrays[1].strings, ElementsAre("x"));
    EXPECT_EQ(nested.arrays[2].n_elements, 0u);

    ASSERT_EQ(file.tensors().size(), 2u);
    const TensorInfo &norm = *file.find("norm.weight"), &out = *file.find("out.weight");
    EXPECT_EQ(norm.type->name, "F32");
    EXPECT_EQ(norm.n_dims, 2u);
    EXPECT_EQ(norm.n_cols(), 3u);
    EXPECT_EQ(norm.n_rows(), 2u);
    EXPECT_EQ(norm.n_bytes, 24u);
    float floats[6], weights[32];
    norm.type->dequantize(file.data(norm).data(), 6, floats);
    EXPECT_THAT(floats, ElementsAre(0, 1, 2, 3, 4, 5));
    EXPECT_EQ(out.type->name, "Q8_0");
    EXPECT_EQ(out.file_offset % 64, 0u);
    out.type->dequantize(file.data(out).data(), 1, weights);
    EXPECT_EQ(weights[0], -8.0f);
    EXPECT_EQ(weights[31], 7.5f);
    EXPECT_EQ(file.find("norm.weigh"), nullptr);
    EXPECT_EQ(file.place(out).item, "out.weight");
    EXPECT_EQ(load_and_exercise(MappedFile::open(path).bytes()), "");
  }
}

// Sanitizers, and builds that are not optimized, slow every access down: there a time says nothing.
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kInstrumented = true;
#elif defined(__has_feature)
constexpr bool kInstrumented = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kInstrumented = false;
#endif

fs::path golden_folder() {
  const char* chosen = std::getenv("ASSAY_GOLDEN_DIR");
  return chosen ? fs::path(chosen) : fs::path(ASSAY_SOURCE_DIR) / "../shared/golden";
}

TEST(GoldenGguf, EveryModelOfTheReferenceOpens) {
  const fs::path folder = golden_folder() / "models";
  if (!fs::exists(folder)) GTEST_SKIP() << "no golden models at " << folder;
  size_t n_models = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    SCOPED_TRACE(entry.path().string());
    const fs::path path = entry.path() / "model.gguf";
    const GgufFile file = GgufFile::open(path);
    EXPECT_FALSE(file.tensors().empty());
    const std::string architecture(file.metadata().need_string("general.architecture"));
    EXPECT_EQ(file.metadata().need_uint(architecture + ".embedding_length"),
              file.find("token_embd.weight")->n_cols());
    EXPECT_EQ(load_and_exercise(MappedFile::open(path).bytes()), "");
    ++n_models;
  }
  EXPECT_GE(n_models, 15u);
}

TEST(GoldenGguf, VocabulariesOpenQuickly) {
  const fs::path folder = golden_folder() / "vocab";
  if (!fs::exists(folder)) GTEST_SKIP() << "no golden vocabularies at " << folder;
  size_t n_files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".gguf") continue;
    SCOPED_TRACE(entry.path().string());
    double best_ms =
        1e9;  // the first time reads the disk; processor time, so that other programs do not count
    for (int i = 0; i < 5; ++i) {
      const std::clock_t start = std::clock();
      GgufFile::open(entry.path());
      best_ms = std::min(best_ms, 1e3 * double(std::clock() - start) / CLOCKS_PER_SEC);
    }
    EXPECT_TRUE(kInstrumented || best_ms < 50) << best_ms << " ms";
    const GgufFile file = GgufFile::open(entry.path());
    EXPECT_TRUE(file.tensors().empty());
    const auto tokens = *file.metadata().find_strings("tokenizer.ggml.tokens");
    EXPECT_GE(tokens.size(), 30'000u);
    std::cout << entry.path().filename().string() << ": " << tokens.size() << " tokens, " << best_ms
              << " ms\n";
    ++n_files;
  }
  EXPECT_GE(n_files, 5u);
}

}  // namespace
}  // namespace assay
