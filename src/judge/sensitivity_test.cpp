// Substituted weights against a file that really has them, and the order of costs.
#include "judge/sensitivity.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "quantize/quantizer.h"

namespace assay {
namespace {

constexpr const char* kModel = ASSAY_SOURCE_DIR "/models/tales-6m-f16.gguf";

std::unique_ptr<LoadedModel> load(const std::filesystem::path& path) {
  return std::make_unique<LoadedModel>(
      path, LoadOptions{.backend = "cpu", .n_threads = 2, .with_tokenizer = true, .progress = {}});
}

ScoredText small_text() {
  ScoredText text;
  text.n_ctx = 40;
  text.n_chunks = 2;
  text.bos = 1;
  for (int32_t i = 0; i < 80; ++i) text.ids.push_back(300 + i * 37 % 1500);
  return text;
}

TEST(Sensitivity, SubstitutedWeightsAreThoseOfAFile) {
  const TemporaryFolder folder;
  ThreadPool pool(2);
  const auto loaded = load(kModel);
  const GgufFile& file = loaded->model().file();
  // Three tensors in other types, one of them the table of embeddings.
  std::vector<TypeChoice> choices;
  std::vector<std::pair<const TensorInfo*, const QuantType*>> stored;
  for (const TensorInfo& tensor : file.tensors()) {
    choices.push_back({.type = tensor.type});
    for (const auto& [name, type] : {std::pair{"token_embd.weight", "Q4_K"},
                                     {"blk.1.ffn_down.weight", "Q2_K"},
                                     {"output.weight", "Q5_0"}})
      if (tensor.name == name) {
        choices.back().type = find_quant_type(type);
        stored.emplace_back(&tensor, choices.back().type);
      }
  }
  ASSERT_EQ(stored.size(), 3u);
  QuantizeOptions fast;
  fast.effort = Effort::fast;
  fast.progress = [](const QuantizeProgress&) { return true; };
  quantize_file(file, folder.path() / "q.gguf", choices, fast, pool);
  const auto quantized = load(folder.path() / "q.gguf");
  const ScoredText text = small_text();
  ModelSource base(*loaded, text, 16, KvType::f16), model(*quantized, text, 16, KvType::f16);
  LogitSource* const models[] = {&model};
  const auto expected = measure_divergence(base, models, text, pool, [](auto) { return true; });
  double kl = 0;
  for (const Divergence& d : expected[0]) kl += d.kl / double(expected[0].size());

  SensitivityProbe probe(*loaded, text, nullptr, pool);
  EXPECT_NEAR(probe.kl_of(stored).value, kl, 1e-12);
  EXPECT_GT(kl, 1e-3);
  EXPECT_EQ(probe.kl_of({}).value, 0);  // and all is as it was
}

TEST(Sensitivity, FinerTypesCostLess) {
  ThreadPool pool(2);
  const auto loaded = load(kModel);
  const ScoredText text = small_text();
  SensitivityProbe probe(*loaded, text, nullptr, pool);
  std::vector<const QuantType*> types;
  for (const char* name : {"Q8_0", "Q2_K", "F16", "Q4_K", "Q6_K", "Q3_K"})
    types.push_back(find_quant_type(name));
  for (const char* name :
       {"token_embd.weight", "blk.0.attn_q.weight", "blk.5.ffn_down.weight", "output.weight"}) {
    const TensorCosts costs = probe.measure(*loaded->model().file().find(name), types);
    ASSERT_EQ(costs.options.size(), types.size());
    for (size_t i = 1; i < costs.options.size(); ++i) {
      EXPECT_GT(costs.options[i].n_bytes, costs.options[i - 1].n_bytes);
      EXPECT_LT(costs.options[i].kl, costs.options[i - 1].kl) << name;
    }
    EXPECT_EQ(costs.options.back().kl, 0);  // F16 is what it is
  }
  EXPECT_THROW(probe.measure(TensorInfo{.name = "absent"}, types), UsageError);
}

}  // namespace
}  // namespace assay
