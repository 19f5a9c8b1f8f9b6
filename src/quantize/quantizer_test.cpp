#include "quantize/quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>

#include "base/temporary_folder.h"
#include "gguf/writer.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

struct Weights {
  std::string name;
  std::vector<uint64_t> dims;
  std::vector<float> values;
};

Weights weights(std::string name, std::vector<uint64_t> dims, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0, 0.05f);
  size_t n = 1;
  for (const uint64_t d : dims) n *= size_t(d);
  std::vector<float> values(n);
  for (float& v : values) v = normal(rng);
  return {std::move(name), std::move(dims), std::move(values)};
}

/// A model in f32 with what a quantizer meets: embeddings, experts, odd rows, a norm.
std::vector<Weights> small_model() {
  return {weights("token_embd.weight", {256, 64}, 1), weights("blk.0.attn_q.weight", {512, 300}, 2),
          weights("blk.0.attn_norm.weight", {512}, 3), weights("blk.0.ffn_down_exps.weight", {256, 70, 3}, 4),
          weights("blk.0.ffn_up.weight", {96, 33}, 5)};
}

class QuantizerTest : public testing::Test {
 protected:
  fs::path write(const std::vector<Weights>& model, const char* name = "in.gguf", uint16_t n_parts = 1) {
    GgufWriter writer;
    writer.add("general.architecture", "llama");
    writer.add("general.file_type", uint32_t(0));
    writer.add("llama.block_count", uint32_t(1));
    writer.add_array("some.list", std::vector<std::string>{"a", "b"});
    for (const Weights& w : model)
      writer.add_tensor(w.name, *find_quant_type("F32"), w.dims, std::as_bytes(std::span(w.values)));
    if (n_parts > 1) return writer.write_split((folder_.path() / "split").string(), n_parts).front();
    writer.write(folder_.path() / name);
    return folder_.path() / name;
  }

  std::vector<TypeChoice> choices(const GgufFile& in, const char* mix, bool pure = true) {
    MixOptions options;
    options.pure = pure;
    return choose_types(in.tensors(), read_model_facts(in.metadata()), need_mix(mix), options);
  }

  QuantizeResult quantize(const fs::path& in_path, const char* mix, const QuantizeOptions& options = {},
                          size_t n_threads = 2) {
    const GgufFile in = GgufFile::open(in_path);
    ThreadPool pool(n_threads);
    QuantizeOptions o = options;
    o.file_type = need_mix(mix).file_type;
    return quantize_file(in, out_, choices(in, mix), o, pool);
  }

  /// Everything in the folder that was not there before, temporaries too.
  std::vector<std::string> left_behind(const std::vector<std::string>& expected) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      if (std::find(expected.begin(), expected.end(), entry.path().filename()) == expected.end())
        names.push_back(entry.path().filename());
    return names;
  }

  TemporaryFolder folder_;
  const fs::path out_ = folder_.path() / "out.gguf";
};

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Imatrix importance_of(const std::vector<Weights>& model) {
  Imatrix imatrix;
  imatrix.datasets = {"text.txt"};
  imatrix.chunk_count = 9;
  imatrix.chunk_size = 512;
  std::mt19937 rng(7);
  for (const Weights& w : model) {
    const size_t n_experts = w.dims.size() > 2 ? size_t(w.dims[2]) : 1;
    ImatrixEntry entry{size_t(w.dims[0]), std::vector<uint64_t>(n_experts, 3), {}};
    for (size_t i = 0; i < n_experts * entry.n_cols; ++i) entry.sums.push_back(double(rng() % 1000));
    imatrix.entries[w.name] = entry;
  }
  return imatrix;
}

// Beside one call of the encoder for each whole matrix.
TEST_F(QuantizerTest, EncodesEachMatrixWithItsImportance) {
  const auto model = small_model();
  const fs::path in = write(model);
  const Imatrix imatrix = importance_of(model);
  for (const char* mix : {"Q8_0", "Q4_K", "IQ2_XS", "IQ4_NL", "F16"}) {
    SCOPED_TRACE(mix);
    QuantizeOptions options;
    options.imatrix = &imatrix;
    const QuantizeResult result = quantize(in, mix, options);
    const GgufFile out = GgufFile::open(out_);
    ASSERT_EQ(out.tensors().size(), model.size());
    for (size_t i = 0; i < model.size(); ++i) {
      const TensorInfo& tensor = out.tensors()[i];
      const Weights& w = model[i];
      SCOPED_TRACE(w.name);
      EXPECT_EQ(tensor.name, w.name);
      EXPECT_EQ(std::vector<uint64_t>(tensor.dims, tensor.dims + tensor.n_dims), w.dims);
      EXPECT_EQ(tensor.type, result.tensors[i].to.type);
      EXPECT_EQ(tensor.n_bytes, result.tensors[i].bytes_after);
      std::vector<std::byte> expected(tensor.n_bytes);
      if (tensor.type->name == "F32") {
        std::memcpy(expected.data(), w.values.data(), expected.size());
        EXPECT_FALSE(result.tensors[i].relative_error);
      } else {
        const size_t n_cols = size_t(w.dims[0]), n_rows = size_t(w.dims[1]);
        const ImatrixEntry& entry = imatrix.entries.at(w.name);
        const std::vector<float> all = column_importance(w.name, entry, n_cols, entry.counts.size());
        for (size_t e = 0; e < entry.counts.size(); ++e)
          encode_rows(*tensor.type, w.values.data() + e * n_rows * n_cols, n_rows, n_cols,
                      {std::span(all).subspan(e * n_cols, n_cols), Effort::normal},
                      expected.data() + e * expected.size() / entry.counts.size());
        EXPECT_GT(result.tensors[i].relative_error.value(), 0);
        EXPECT_LT(result.tensors[i].relative_error.value(), 0.5);
      }
      EXPECT_TRUE(std::ranges::equal(out.data(tensor), expected));
    }
  }
}

TEST_F(QuantizerTest, ThreadsDoNotShow) {
  const fs::path in = write(small_model());
  std::string first;
  std::optional<double> first_error;
  for (const size_t n_threads : {1, 2, 5}) {
    const auto result = quantize(in, "Q4_K", {}, n_threads);
    if (first.empty()) {
      first = bytes_of(out_);
      first_error = result.tensors[1].relative_error;
    }
    EXPECT_EQ(bytes_of(out_), first);
    EXPECT_EQ(result.tensors[1].relative_error, first_error);
  }
}

TEST_F(QuantizerTest, MetadataKeepTheirOrder) {
  const auto model = small_model();
  const fs::path in = write(model);
  const Imatrix imatrix = importance_of(model);
  QuantizeOptions options;
  options.imatrix = &imatrix;
  options.imatrix_path = "i.gguf";
  quantize(in, "Q4_K", options);
  const GgufFile out = GgufFile::open(out_);
  std::vector<std::string> keys;
  for (const auto& pair : out.metadata().pairs()) keys.emplace_back(pair.key);
  EXPECT_THAT(keys, testing::ElementsAre("general.architecture", "general.file_type", "llama.block_count",
                                         "some.list", "general.quantization_version", "quantize.imatrix.file",
                                         "quantize.imatrix.dataset", "quantize.imatrix.entries_count",
                                         "quantize.imatrix.chunks_count"));
  EXPECT_EQ(out.metadata().need_uint("general.file_type"), 15u);
  EXPECT_EQ(out.metadata().need_uint("general.quantization_version"), 2u);
  EXPECT_EQ(out.metadata().need_string("quantize.imatrix.dataset"), "text.txt");
  EXPECT_EQ(out.metadata().need_uint("quantize.imatrix.entries_count"), model.size());
  EXPECT_EQ(out.metadata().need_uint("quantize.imatrix.chunks_count"), 9u);
  EXPECT_THAT(*out.metadata().find_strings("some.list"), testing::ElementsAre("a", "b"));
}

TEST_F(QuantizerTest, SplitInputGivesOneFileOrTheSameParts) {
  const auto model = small_model();
  quantize(write(model), "Q5_K");
  const GgufFile whole = GgufFile::open(out_);
  const fs::path split = write(model, "", 3);
  quantize(split, "Q5_K");
  EXPECT_EQ(bytes_of(out_), bytes_of(whole.path()));
  EXPECT_FALSE(GgufFile::open(out_).metadata().contains("split.count"));

  QuantizeOptions keep;
  keep.keep_split = true;
  const QuantizeResult result = quantize(split, "Q5_K", keep);
  ASSERT_EQ(result.files.size(), 3u);
  EXPECT_EQ(result.files[0], folder_.path() / "out-00001-of-00003.gguf");
  const GgufFile in = GgufFile::open(split), parts = GgufFile::open(result.files[0]);
  ASSERT_EQ(parts.n_parts(), 3u);
  for (const TensorInfo& tensor : whole.tensors()) {
    const TensorInfo* part = parts.find(tensor.name);
    ASSERT_NE(part, nullptr);
    EXPECT_EQ(part->part, in.find(tensor.name)->part);
    EXPECT_TRUE(std::ranges::equal(parts.data(*part), whole.data(tensor)));
  }
}

TEST_F(QuantizerTest, RefusesNanAndInfinityByTensorAndPosition) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()})
    for (const size_t i : {1, 2, 3}) {  // quantized, kept, and with experts
      auto model = small_model();
      const size_t at = model[i].values.size() - 5, n_cols = size_t(model[i].dims[0]);
      model[i].values[at] = bad;
      const fs::path in = write(model);
      try {
        quantize(in, "Q4_K");
        FAIL();
      } catch (const BadValue& error) {
        EXPECT_EQ(error.place.item, model[i].name);
        const GgufFile file = GgufFile::open(in);
        EXPECT_EQ(error.place.offset, file.tensors()[i].file_offset + 4 * at);
        EXPECT_THAT(error.what(), testing::HasSubstr("row " + std::to_string(at / n_cols) + ", column " +
                                                     std::to_string(at % n_cols) + " is "));
      }
      EXPECT_THAT(left_behind({"in.gguf"}), testing::IsEmpty());
    }
}

TEST_F(QuantizerTest, TheFirstOfSeveralFaultsIsReported) {
  auto model = small_model();
  for (size_t row = 290; row-- > 40;) model[1].values[row * 512 + 3] = NAN;
  const fs::path in = write(model);
  for (int repeat = 0; repeat < 10; ++repeat) {
    try {
      quantize(in, "Q8_0", {}, 4);
      FAIL();
    } catch (const BadValue& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("row 40, column 3 is NaN"));
    }
  }
}

TEST_F(QuantizerTest, RefusesWhatNeedsAskingFor) {
  const fs::path in = write(small_model());
  EXPECT_THROW(quantize(in, "IQ2_XXS"), UsageError);  // no importance matrix
  const Imatrix partial = importance_of({small_model()[1]});
  QuantizeOptions options;
  options.imatrix = &partial;
  EXPECT_THROW(quantize(in, "IQ2_XXS", options), UsageError);  // nor the experts in it
  Imatrix wrong = importance_of(small_model());
  wrong.entries["blk.0.attn_q.weight"].n_cols = 511;
  options.imatrix = &wrong;
  EXPECT_THROW(quantize(in, "Q4_K", options), UsageError);
  EXPECT_THAT(left_behind({"in.gguf"}), testing::IsEmpty());

  quantize(in, "Q8_0");
  fs::rename(out_, folder_.path() / "q8.gguf");
  EXPECT_THROW(quantize(folder_.path() / "q8.gguf", "Q4_K"), UsageError);  // requantizing
  options = {};
  options.allow_requantize = true;
  EXPECT_EQ(quantize(folder_.path() / "q8.gguf", "Q4_K", options).tensors[1].to.type->name, "Q4_K");
  quantize(folder_.path() / "q8.gguf", "Q8_0");  // a copy

  const GgufFile file = GgufFile::open(in);
  ThreadPool pool(1);
  EXPECT_THROW(quantize_file(file, in, choices(file, "Q8_0"), {}, pool), UsageError);  // onto itself
}

/// Of the types whose blocks hold what they decode to; a block may have several spellings of the same
/// weights.
TEST_F(QuantizerTest, QuantizedAgainIsTheSame) {
  const std::vector<Weights> model = {weights("blk.0.attn_q.weight", {512, 40}, 2)};
  const Imatrix imatrix = importance_of(model);
  for (const char* mix : {"F16", "BF16", "Q4_0", "Q5_0", "Q8_0", "IQ4_NL", "Q1_0", "Q2_0", "TQ1_0", "TQ2_0",
                          "MXFP4", "NVFP4"}) {
    SCOPED_TRACE(mix);
    QuantizeOptions options;
    options.allow_requantize = true;
    const GgufFile in = GgufFile::open(write(model));
    ThreadPool pool(2);
    MixOptions only;
    only.overrides.push_back(parse_type_override(std::string("attn_q=") + mix));
    const auto to_type = choose_types(in.tensors(), {}, need_mix("F32"), only);
    const fs::path once = folder_.path() / "once.gguf", floats = folder_.path() / "floats.gguf";
    quantize_file(in, once, to_type, options, pool);
    const GgufFile first = GgufFile::open(once);
    quantize_file(first, floats, choose_types(first.tensors(), {}, need_mix("F32"), {}), options, pool);
    const GgufFile decoded = GgufFile::open(floats);
    EXPECT_EQ(decoded.tensors()[0].type->name, "F32");
    const auto result = quantize_file(decoded, out_, to_type, options, pool);
    EXPECT_EQ(result.tensors[0].relative_error, 0.0);
  }
}

TEST_F(QuantizerTest, StopsWhenAskedAndLeavesNothing) {
  const fs::path in = write(small_model());
  uint64_t last = 0;
  QuantizeOptions options;
  options.progress = [&](const QuantizeProgress& p) {
    EXPECT_GT(p.elements_done, last);
    EXPECT_LE(p.elements_done, p.elements);
    last = p.elements_done;
    return p.tensor != "blk.0.attn_norm.weight";
  };
  EXPECT_THROW(quantize(in, "Q4_K", options), Stopped);
  EXPECT_GT(last, 0u);
  EXPECT_THAT(left_behind({"in.gguf"}), testing::IsEmpty());
}

TEST_F(QuantizerTest, InputThatBecomesShorterIsAnError) {
  for (const bool to_nothing : {false, true}) {
    const fs::path in = write(small_model());
    QuantizeOptions options;
    options.progress = [&](const QuantizeProgress& p) {
      if (p.tensor == "blk.0.attn_norm.weight")
        fs::resize_file(in, to_nothing ? 0 : fs::file_size(in) - 1000);
      return true;
    };
    EXPECT_THROW(quantize(in, "Q4_K", options), Truncated);
    EXPECT_THAT(left_behind({"in.gguf"}), testing::IsEmpty());
  }
}

}  // namespace
}  // namespace assay
