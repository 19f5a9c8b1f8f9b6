// Token ids as llama.cpp v0.5.0 gives them, from real vocabularies and from the tiny models.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tokenizer/tokenizer.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

fs::path golden_dir() {
  const char* given = std::getenv("ASSAY_GOLDEN_DIR");
  return given ? fs::path(given) : fs::path(ASSAY_SOURCE_DIR) / "../shared/golden";
}

std::string read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

const EncodeOptions kBare{.add_bos = false, .add_eos = false};

TEST(Golden, Vocabularies) {
  const fs::path folder = golden_dir() / "vocab";
  if (!fs::exists(folder)) GTEST_SKIP() << "no " << folder << " (ASSAY_GOLDEN_DIR)";
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  size_t n_vocabularies = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".gguf") continue;
    SCOPED_TRACE(entry.path().filename());
    ++n_vocabularies;
    const auto tokenizer = make_tokenizer(GgufFile::open(entry.path()).metadata());
    const std::string texts = read_file(entry.path().string() + ".inp");
    std::istringstream lines(read_file(entry.path().string() + ".out"));
    size_t n_cases = 0;
    for (size_t begin = 0; begin < texts.size(); ++n_cases) {
      const size_t end = std::min(texts.find(kSeparator, begin), texts.size());
      const std::string text = texts.substr(begin, end - begin);
      begin = end + kSeparator.size();
      std::string line;
      ASSERT_TRUE(std::getline(lines, line));
      std::istringstream numbers(line);
      const std::vector<int32_t> expected{std::istream_iterator<int32_t>(numbers), {}};
      EXPECT_EQ(tokenizer->encode(text, kBare), expected) << testing::PrintToString(text);
      const bool lossless = tokenizer->vocabulary().kind != TokenizerKind::wordpiece;
      EXPECT_TRUE(!lossless || tokenizer->decode(tokenizer->encode(text, kBare)) == text);
    }
    EXPECT_EQ(n_cases, 46u);
  }
  EXPECT_EQ(n_vocabularies, 5u);
}

void check_model(const fs::path& folder) {
  SCOPED_TRACE(folder.filename());
  const auto tokenizer = make_tokenizer(GgufFile::open(folder / "model.gguf").metadata());
  const auto golden = nlohmann::json::parse(read_file(folder / "golden.json"));
  for (const auto& c : golden["tokenizer_cases"]) {
    const std::string text = c["text"];
    SCOPED_TRACE(text);
    const std::vector<int32_t> ids = c["ids"], ids_parse_special = c["ids_parse_special"];
    EXPECT_EQ(tokenizer->encode(text), ids);
    EXPECT_EQ(tokenizer->encode(text, {.parse_special = true}), ids_parse_special);
    EXPECT_EQ(tokenizer->decode(ids, {.clean_spaces = true}), c["decoded"].get<std::string>());
  }
}

/// The models of `folder`; how many there were.
size_t check_models(const fs::path& folder) {
  size_t n_models = 0;
  if (!fs::exists(folder)) return 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (!fs::exists(entry.path() / "golden.json") || !fs::exists(entry.path() / "model.gguf")) continue;
    ++n_models;
    check_model(entry.path());
  }
  return n_models;
}

TEST(Golden, ModelsThatTravel) {
  if (check_models(fs::path(ASSAY_SOURCE_DIR) / "tests/golden/models") == 0)
    GTEST_SKIP() << "no model in tests/golden/models";
}

TEST(Golden, AllTinyModels) {
  const fs::path folder = golden_dir() / "models";
  if (check_models(folder) == 0) GTEST_SKIP() << "no model in " << folder << " (ASSAY_GOLDEN_DIR)";
}

}  // namespace
}  // namespace assay
