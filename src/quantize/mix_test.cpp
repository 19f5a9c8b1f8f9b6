#include "quantize/mix.h"

#include <gtest/gtest.h>

#include <charconv>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/load_error.h"
#include "quantize/mix_rules.h"

namespace assay {
namespace {

using Json = nlohmann::json;

TensorInfo tensor_of(std::string_view name, std::initializer_list<uint64_t> dims, std::string_view type) {
  TensorInfo tensor;
  tensor.name = name;
  tensor.type = find_quant_type(type);
  tensor.n_elements = 1;
  for (const uint64_t d : dims) {
    tensor.dims[tensor.n_dims++] = d;
    tensor.n_elements *= d;
  }
  return tensor;
}

TensorInfo f16(std::string_view name, std::initializer_list<uint64_t> dims) {
  return tensor_of(name, dims, "F16");
}

/// "2*Q4_K Q6_K" -> Q4_K Q4_K Q6_K.
std::vector<std::string> spelled_out(const std::string& run_lengths) {
  std::vector<std::string> types;
  std::istringstream words(run_lengths);
  for (std::string word; words >> word;) {
    size_t n = 1;
    if (const size_t star = word.find('*'); star != std::string::npos) {
      std::from_chars(word.data(), word.data() + star, n);
      word.erase(0, star + 1);
    }
    types.insert(types.end(), n, word);
  }
  return types;
}

Metadata metadata_of(const Json& keys) {
  std::vector<Metadata::Pair> pairs;
  for (const auto& [key, value] : keys.items()) {
    Value v;
    if (value.is_string()) {
      v = {.type = GgufType::string, .data = std::string_view(value.get_ref<const std::string&>())};
    } else {
      v = {.type = GgufType::u32, .data = value.get<uint64_t>()};
    }
    pairs.push_back({key, v});
  }
  return {"model", std::move(pairs)};
}

// types.json: what llama.cpp's quantizer chose; tests/parity/quantize_test.py wrote it.
TEST(Mix, ChoosesTheTypesThatLlamaCppChooses) {
  std::ifstream file(std::string(ASSAY_SOURCE_DIR) + "/tests/golden/quantize/types.json");
  const Json golden = Json::parse(file);
  size_t n_compared = 0;
  for (const Json& model : golden.at("models")) {
    const Metadata metadata = metadata_of(model.at("metadata"));
    std::vector<TensorInfo> tensors;
    for (const Json& row : model.at("tensors")) {
      TensorInfo tensor = tensor_of(row[0].get_ref<const std::string&>(), {}, row[2] == 1 ? "F16" : "F32");
      for (const Json& d : row[1]) {
        tensor.dims[tensor.n_dims++] = d.get<uint64_t>();
        tensor.n_elements *= d.get<uint64_t>();
      }
      tensors.push_back(tensor);
    }
    for (const Json& row : model.at("mixes")) {
      const Mix& mix = need_mix(row[0].get<std::string>());
      MixOptions options;
      options.has_importance = row.size() == 3;
      SCOPED_TRACE(testing::Message()
                   << model.at("name") << " " << mix.name << " " << options.has_importance);
      const auto choices = choose_types(tensors, read_model_facts(metadata), mix, options);
      const auto expected = spelled_out(row[1].get<std::string>());
      ASSERT_EQ(choices.size(), expected.size());
      for (size_t i = 0; i < choices.size(); ++i)
        EXPECT_EQ(choices[i].type->name, expected[i]) << tensors[i].name;
      ++n_compared;
    }
  }
  EXPECT_GT(n_compared, 250u);
}

TEST(Mix, TablesNameWhatExists) {
  std::set<uint32_t> file_types;
  for (const Mix& mix : mixes()) {
    ASSERT_NE(mix.base, nullptr) << mix.name;
    EXPECT_TRUE(file_types.insert(mix.file_type).second) << mix.name;
    EXPECT_EQ(&need_mix(mix.name), &mix);
  }
  EXPECT_EQ(need_mix("q4_k").name, "Q4_K_M");
  EXPECT_EQ(need_mix("mxfp4").name, "MXFP4_MOE");
  EXPECT_THROW(need_mix("Q4_2"), UsageError);
  for (const Rule& rule : mix_rules())
    EXPECT_TRUE(rule.type.empty() || find_quant_type(rule.type)) << rule.type;
  for (const Fallback& f : fallbacks()) {
    ASSERT_TRUE(find_quant_type(f.type) && find_quant_type(f.instead)) << f.type;
    EXPECT_LT(find_quant_type(f.instead)->block_elems, find_quant_type(f.type)->block_elems) << f.type;
  }
}

TEST(Mix, RowsThatDoNotDivideFallBackAndSaySo) {
  const ModelFacts model{.architecture = "llama", .n_layers = 1};
  const std::vector<TensorInfo> tensors = {f16("output.weight", {512, 8}), f16("a.weight", {512, 8}),
                                           f16("b.weight", {96, 8}), f16("c.weight", {100, 8})};
  const auto choices = choose_types(tensors, model, need_mix("Q4_K_S"), {});
  EXPECT_EQ(choices[1].type->name, "Q4_K");
  EXPECT_EQ(choices[1].wanted, nullptr);
  EXPECT_EQ(choices[2].type->name, "Q5_0");
  EXPECT_EQ(choices[2].wanted->name, "Q4_K");
  EXPECT_EQ(choices[3].type->name, "F16");
  EXPECT_EQ(choices[3].wanted->name, "Q4_K");
  // No fallback is listed for these: F16.
  EXPECT_EQ(choose_types(tensors, model, need_mix("Q1_0"), {})[2].type->name, "F16");
  EXPECT_EQ(choose_types(tensors, model, need_mix("Q4_0"), {})[3].type->name, "F16");
}

TEST(Mix, OptionsDecideBeforeRules) {
  const ModelFacts model{.architecture = "llama", .n_layers = 1};
  const std::vector<TensorInfo> tensors = {f16("output.weight", {256, 8}), f16("token_embd.weight", {256, 8}),
                                           f16("blk.0.ffn_down.weight", {256, 8})};
  MixOptions options;
  options.output = find_quant_type("Q8_0");
  options.token_embedding = find_quant_type("Q5_0");
  options.overrides.push_back(parse_type_override("ffn_(up|down)=q3_k"));
  options.overrides.push_back(parse_type_override("ffn=Q2_K"));
  auto choices = choose_types(tensors, model, need_mix("Q4_K_M"), options);
  EXPECT_EQ(choices[0].type->name, "Q8_0");
  EXPECT_EQ(choices[1].type->name, "Q5_0");
  EXPECT_EQ(choices[2].type->name, "Q3_K");
  options.keep_output = true;
  choices = choose_types(tensors, model, need_mix("Q4_K_M"), options);
  EXPECT_EQ(choices[0].type->name, "F16");
  for (const char* text : {"ffn", "=Q4_0", "ffn=Q4_2", "ffn=", "(=Q4_0"})
    EXPECT_THROW(parse_type_override(text), UsageError) << text;
  const std::vector<TensorInfo> odd = {f16("output.weight", {100, 8})};
  options.keep_output = false;
  EXPECT_THROW(choose_types(odd, model, need_mix("Q4_K_M"), options), UsageError);
}

TEST(Mix, TinyTypesNeedImportanceButNotForEmbeddings) {
  const ModelFacts model{.architecture = "llama", .n_layers = 1};
  const std::vector<TensorInfo> tensors = {f16("output.weight", {256, 8}), f16("token_embd.weight", {256, 8}),
                                           f16("blk.0.ffn_up.weight", {256, 8})};
  const auto needs = [&](const char* mix, size_t i) {
    return choose_types(tensors, model, need_mix(mix), {})[i].needs_importance;
  };
  for (const char* mix : {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "Q2_K_S"}) {
    EXPECT_TRUE(needs(mix, 2)) << mix;
    EXPECT_FALSE(needs(mix, 0) || needs(mix, 1)) << mix;
  }
  for (const char* mix : {"Q2_K", "IQ3_S", "IQ4_XS", "TQ1_0", "Q1_0", "F16"})
    EXPECT_FALSE(needs(mix, 2)) << mix;
}

TEST(Mix, ExpertLayersComeFromNames) {
  const ModelFacts model{.architecture = "llama", .n_layers = 8, .n_experts = 8};
  const std::vector<TensorInfo> good = {f16("blk.7.ffn_down.3.weight", {256, 8})};
  EXPECT_EQ(choose_types(good, model, need_mix("Q4_K_M"), {})[0].type->name, "Q6_K");
  for (const char* name :
       {"blk.8.ffn_down.weight", "ffn_down.weight", "blk.99999999999999999999.ffn_down.weight"})
    EXPECT_THROW(choose_types(std::vector{f16(name, {256, 8})}, model, need_mix("Q4_K_M"), {}), UsageError)
        << name;
}

TEST(Mix, HostileNumbersOfAModelAreRefused) {
  const auto facts = [](Value value) {
    std::vector<Metadata::Pair> pairs = {
        {"general.architecture", {.type = GgufType::string, .data = std::string_view("llama")}},
        {"llama.block_count", value}};
    return read_model_facts(Metadata("model", std::move(pairs)));
  };
  EXPECT_EQ(facts({.type = GgufType::u64, .data = uint64_t(80)}).n_layers, 80u);
  EXPECT_THROW(facts({.type = GgufType::u64, .data = UINT64_MAX}), LoadError);
  EXPECT_THROW(facts({.type = GgufType::string, .data = std::string_view("8")}), LoadError);
}

}  // namespace
}  // namespace assay
