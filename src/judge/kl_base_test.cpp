// Files of base logits: ours gives the very bits that the model gave, llama.cpp's is read as it defines it,
// and files that are neither are refused.
#include "judge/kl_base.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "base/temporary_folder.h"
#include "gguf/writer.h"
#include "judge/judge.h"

namespace assay {
namespace {

constexpr const char* kModel = ASSAY_SOURCE_DIR "/tests/golden/models/llama-Q4_K_M/model.gguf";
constexpr const char* kOther = ASSAY_SOURCE_DIR "/tests/golden/models/qwen3-Q4_K_M/model.gguf";

std::unique_ptr<LoadedModel> load(const char* path, const char* backend = "cpu") {
  return std::make_unique<LoadedModel>(
      path, LoadOptions{.backend = backend, .n_threads = 2, .with_tokenizer = true, .progress = {}});
}

ScoredText small_text(const LoadedModel& loaded, size_t n_ctx) {
  ScoredText text;
  text.n_ctx = n_ctx;
  text.n_chunks = 3;
  for (size_t i = 0; i < n_ctx * 3; ++i)
    text.ids.push_back(int32_t((i * 37 + 11) % loaded.model().hparams().vocab_size));
  text.bos = 1;
  return text;
}

class KlBaseTest : public testing::Test {
 protected:
  std::string path(const char* name) { return (folder_.path() / name).string(); }
  std::string file(const char* name, const std::string& bytes) {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  TemporaryFolder folder_;
};

TEST_F(KlBaseTest, GivesTheBitsThatTheModelGave) {
  for (const char* backend : {"cpu", "twin", "exact"})
    for (const char* model : {kModel, kOther}) {
      const auto loaded = load(model, backend);
      const ScoredText text = small_text(*loaded, 40);
      std::vector<std::vector<float>> said;
      write_kl_base(path("base"), *loaded, text, 16, KvType::f16,
                    [&](size_t, size_t, std::span<const float> logits) {
                      said.emplace_back(logits.begin(), logits.end());
                    });
      ASSERT_EQ(said.size(), text.n_scored());
      const auto base = open_kl_base(path("base"), loaded->tokenizer(), 1);
      EXPECT_EQ(base->text().ids, text.ids);
      EXPECT_EQ(base->text().n_ctx, text.n_ctx);
      EXPECT_EQ(base->text().bos, text.bos);
      ModelSource source(*loaded, text, 16, KvType::f16);
      std::vector<float> from_file(base->vocab_size() * text.n_rows()), live(from_file.size());
      for (size_t chunk = 0; chunk < text.n_chunks; ++chunk) {
        base->begin(chunk);
        source.begin(chunk);
        const size_t split = 7;  // rows may come in any number of pieces
        base->read(split, from_file.data());
        base->read(text.n_rows() - split, from_file.data() + split * base->vocab_size());
        source.read(text.n_rows(), live.data());
        // exact computes in f64, of which the file keeps the f32 part.
        if (std::string_view(backend) == "exact")
          ASSERT_THAT(from_file, testing::Pointwise(testing::FloatNear(1e-5f), live));
        else
          ASSERT_EQ(from_file, live) << backend;
        EXPECT_THAT(std::span(live).first(base->vocab_size()),
                    testing::ElementsAreArray(said[chunk * text.n_rows()]));
      }
      // Half of what 16 bits a logit take, and less for vocabularies of common size.
      EXPECT_LT(std::filesystem::file_size(path("base")),
                text.n_scored() * base->vocab_size() * 2 + loaded->model().file().n_bytes());
    }
}

TEST_F(KlBaseTest, AModelIsNotFarFromItself) {
  const auto loaded = load(kModel);
  const ScoredText text = small_text(*loaded, 24);
  std::vector<double> nll;
  write_kl_base(path("base"), *loaded, text, 64, KvType::f16,
                [&](size_t chunk, size_t row, std::span<const float> logits) {
                  nll.push_back(surprise({logits}, text.target(chunk, row)));
                });
  const auto base = open_kl_base(path("base"), loaded->tokenizer(), 2);
  ModelSource source(*loaded, text, 5, KvType::f16);
  ThreadPool pool(2);
  LogitSource* const models[] = {&source};
  size_t n_chunks = 0;
  const auto all = measure_divergence(*base, models, text, pool, [&](auto) { return ++n_chunks < 2; });
  ASSERT_EQ(all[0].size(), 2 * text.n_rows());  // stopped after two of three
  for (size_t i = 0; i < all[0].size(); ++i) {
    EXPECT_EQ(all[0][i].kl, 0);
    EXPECT_EQ(all[0][i].nll, nll[i]);
    EXPECT_TRUE(all[0][i].same_top);
  }
  EXPECT_EQ(measure_surprise(source, text, pool, [](auto) { return true; }), nll);
  const auto other = load(kOther);
  if (other->model().hparams().vocab_size != loaded->model().hparams().vocab_size) {
    ScoredText low = text;
    for (int32_t& id : low.ids) id %= 100;
    ModelSource foreign(*other, low, 64, KvType::f16);
    LogitSource* const foreigners[] = {&foreign};
    EXPECT_THROW(measure_divergence(*base, foreigners, low, pool, [](auto) { return true; }), UsageError);
  }
}

/// llama.cpp's file, by its description: 5 tokens a vocabulary, chunks of 4, so one row each.
std::string llama_cpp_file(int32_t n_chunks = 2) {
  std::string bytes = "_logits_";
  const auto put = [&](const auto& value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  for (const int32_t v : {4, 5, n_chunks}) put(v);
  for (int32_t i = 0; i < 4 * n_chunks; ++i) put(int32_t(i % 5));
  for (int32_t chunk = 0; chunk < n_chunks; ++chunk) {
    put(0.5f);
    put(-10.0f - float(chunk));
    for (const uint16_t q : {0, 1, 2, 19, 65535, 7}) put(q);
  }
  return bytes;
}

TEST_F(KlBaseTest, ReadsTheFileOfLlamaCpp) {
  const auto loaded = load(kModel);
  const auto base = open_kl_base(file("theirs", llama_cpp_file()), loaded->tokenizer(), 1);
  EXPECT_TRUE(base->normalized());
  EXPECT_EQ(base->vocab_size(), 5u);
  EXPECT_EQ(base->text().n_ctx, 4u);
  EXPECT_EQ(base->text().n_chunks, 2u);
  EXPECT_EQ(base->text().n_rows(), 1u);
  std::vector<float> row(5);
  base->begin(1);
  base->read(1, row.data());
  EXPECT_EQ(row, (std::vector<float>{-11, -10.5f, -10, -1.5f, 32756.5f}));
}

TEST_F(KlBaseTest, RefusesAllButWholeFiles) {
  const auto loaded = load(kModel);
  const std::string whole = llama_cpp_file();
  for (size_t n = 0; n < whole.size(); ++n)
    EXPECT_THROW(open_kl_base(file("cut", whole.substr(0, n)), loaded->tokenizer(), 1), LoadError) << n;
  for (const size_t at : {8, 12, 16, 20, 36})
    for (const int32_t value : {INT32_MIN, -1, 0x7fffffff}) {
      std::string bad = whole;
      std::memcpy(bad.data() + at, &value, 4);
      EXPECT_THROW(open_kl_base(file("bad", bad), loaded->tokenizer(), 1), LoadError) << at << " " << value;
    }
  std::string nan = whole;
  const float value = NAN;
  std::memcpy(nan.data() + 20 + 32, &value, 4);
  const auto base = open_kl_base(file("nan", nan), loaded->tokenizer(), 1);
  std::vector<float> row(5);
  base->begin(0);
  EXPECT_THROW(base->read(1, row.data()), BadValue);
  EXPECT_THROW(open_kl_base(kModel, loaded->tokenizer(), 1), BadValue);  // a model is no base
  EXPECT_THROW(open_kl_base(path("absent"), loaded->tokenizer(), 1), UsageError);
}

/// Files of ours with one thing wrong.
TEST_F(KlBaseTest, RefusesFilesThatContradictThemselves) {
  const auto loaded = load(kModel);
  const QuantType& f32 = *find_quant_type("F32");
  struct Parts {
    std::string type = "kl_base", backend = "cpu";
    uint32_t n_ctx = 4;
    int32_t bos = -1;
    std::vector<int32_t> tokens = {0, 1, 2, 3, 2, 1, 0, 0};
    std::vector<uint64_t> output = {8, 4}, normed = {8, 2};
    float soft_cap = 0;
  };
  const auto open = [&](const Parts& p) {
    GgufWriter writer;
    writer.add("general.type", p.type);
    writer.add("kl_base.backend", p.backend);
    writer.add("kl_base.context_length", p.n_ctx);
    writer.add("kl_base.bos_token_id", p.bos);
    writer.add("kl_base.final_logit_softcapping", p.soft_cap);
    if (!p.tokens.empty()) writer.add_array("kl_base.tokens", p.tokens);
    const std::vector<float> numbers(1000);
    const auto add = [&](const char* name, const std::vector<uint64_t>& dims) {
      uint64_t n = 1;
      for (const uint64_t dim : dims) n *= dim;
      if (!dims.empty()) writer.add_tensor(name, f32, dims, std::as_bytes(std::span(numbers).first(n)));
    };
    add("output.weight", p.output);
    add("result_norm", p.normed);
    writer.write(path("made"));
    return open_kl_base(path("made"), loaded->tokenizer(), 1);
  };
  EXPECT_EQ(open({})->vocab_size(), 4u);
  EXPECT_THROW(open({.type = "model"}), LoadError);
  EXPECT_THROW(open({.backend = "magic"}), UsageError);
  EXPECT_THROW(open({.n_ctx = 0}), LoadError);
  EXPECT_THROW(open({.n_ctx = 3}), LoadError);
  EXPECT_THROW(open({.n_ctx = 0xffffffff}), LoadError);
  EXPECT_THROW(open({.bos = 4}), LoadError);
  EXPECT_THROW(open({.tokens = {}}), LoadError);
  EXPECT_THROW(open({.tokens = {0, 1, 2}}), LoadError);
  EXPECT_THROW(open({.tokens = {0, 1, 2, 4, 0, 0, 0, 0}}), LoadError);
  EXPECT_THROW(open({.tokens = {0, 1, 2, -1, 0, 0, 0, 0}}), LoadError);
  EXPECT_THROW(open({.output = {}}), LoadError);
  EXPECT_THROW(open({.output = {8, 2, 2}}), LoadError);
  EXPECT_THROW(open({.normed = {}}), LoadError);
  EXPECT_THROW(open({.normed = {4, 2}}), LoadError);
  EXPECT_THROW(open({.normed = {8, 3}}), LoadError);
}

TEST(ScoredText, ChunksAsLlamaCppCutsThem) {
  const auto loaded = load(kModel);
  const Tokenizer& tokenizer = loaded->tokenizer();
  std::string text;
  for (int i = 0; i < 60; ++i) text += "the word and " + std::to_string(i) + " ";
  const std::vector<int32_t> ids = tokenizer.encode(text);
  const ScoredText cut = cut_text(tokenizer, text, 11, SIZE_MAX);
  EXPECT_EQ(cut.n_chunks, ids.size() / 11);
  EXPECT_EQ(cut.first(), 5u);
  EXPECT_EQ(cut.n_rows(), 5u);
  EXPECT_EQ(cut.target(1, 0), ids[11 + 6]);
  EXPECT_EQ(cut.target(1, 4), ids[11 + 10]);
  EXPECT_THAT(cut.input(1), testing::SizeIs(11));
  EXPECT_EQ(cut.input(1)[0], tokenizer.vocabulary().add_bos ? tokenizer.vocabulary().special.bos : ids[11]);
  EXPECT_EQ(cut.input(1)[1], ids[12]);
  EXPECT_EQ(cut_text(tokenizer, text, 11, 2).n_chunks, 2u);
  EXPECT_THROW(cut_text(tokenizer, text, 3, 2), UsageError);
  EXPECT_THROW(cut_text(tokenizer, text, ids.size() / 2 + 1, 2), UsageError);
  EXPECT_THROW(cut_text(tokenizer, "", 4, 2), UsageError);
  EXPECT_THROW(cut_text(tokenizer, "a\xff", 4, 2), UsageError);
}

}  // namespace
}  // namespace assay
