// Every evaluator on the golden models: logits, greedy choices, layer tensors, batches against single steps.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "golden.h"

namespace assay::golden {
namespace {

using nlohmann::json;

struct Case {
  const Evaluator* evaluator;
  std::string model;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.model << " on " << c.evaluator->name;
}

std::string test_name(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.evaluator->name + "_" + info.param.model;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::vector<Case> cases(std::initializer_list<const char*> models) {
  std::vector<Case> all;
  for (const Evaluator& evaluator : evaluators())
    for (const char* model : models) all.push_back({&evaluator, model});
  return all;
}

class GoldenModel : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const std::optional<std::filesystem::path> found = find_model(GetParam().model);
    if (!found) GTEST_SKIP() << "golden model " << GetParam().model << " is not here: set ASSAY_GOLDEN_DIR";
    folder = *found;
    facts = json::parse(read_text(folder / "golden.json"));
    sequences = facts.at("sequences").get<std::vector<std::vector<int32_t>>>();
  }
  bool has(const char* file) const { return std::filesystem::exists(folder / file); }
  Rows load(const char* file) const { return {facts.at("n_vocab"), read_floats(folder / file)}; }
  /// What unrounded activations give: in f64 where the reference's own GELU is rough, else in its f32.
  Rows reference() const {
    for (const char* file : {"logits_exact.f32", "logits_f32w.f32"})
      if (has(file)) return load(file);
    return load("logits.f32");  // f32 weights
  }
  bool is_float() const { return GetParam().model.ends_with("F16") || GetParam().model.ends_with("F32"); }
  bool rounds() const { return GetParam().evaluator->rounds_activations && !is_float(); }
  Evaluation open(TraceSink sink = {}) const {
    return Evaluation(folder / "model.gguf", *GetParam().evaluator, 0, std::move(sink));
  }

  std::filesystem::path folder;
  json facts;
  std::vector<std::vector<int32_t>> sequences;
};

TEST_P(GoldenModel, NothingOfTheFileIsUnused) {
  EXPECT_THAT(open().model().warnings(), testing::IsEmpty());
}

// Each sequence is evaluated together with its stored continuation: later tokens do not change earlier
// logits.
TEST_P(GoldenModel, LogitsAndGreedyChoices) {
  // `reference` was recorded with the reference's int8 kernels, `f32w` with f32 activations, and for GELU
  // models with a table that is off by up to 1e-2.
  const bool by_reference = rounds() && has("logits.f32");
  const double tolerance = by_reference ? 0.6 : rounds() ? 1.2 : has("logits_exact.f32") ? 1e-2 : 2e-4;
  const json& greedy = facts.at("greedy").at(by_reference ? "reference" : "f32w");
  Evaluation run = open();
  Rows ours{run.model().hparams().vocab_size, {}};
  size_t n_chosen = 0;
  for (size_t s = 0; s < sequences.size(); ++s) {
    const auto chosen = greedy[s].at("ids").get<std::vector<int32_t>>();
    const auto margins = greedy[s].at("margins").get<std::vector<double>>();
    std::vector<int32_t> ids = sequences[s];
    ids.insert(ids.end(), chosen.begin(), chosen.end());
    const Rows rows = run.logits(ids);
    const Rows prompt = rows.rows(0, sequences[s].size());
    ours.values.insert(ours.values.end(), prompt.values.begin(), prompt.values.end());
    for (size_t i = 0; i < chosen.size(); ++i) {
      if (margins[i] <= 2 * tolerance) continue;
      ++n_chosen;
      const std::span<const float> row = rows.row(sequences[s].size() - 1 + i);
      EXPECT_EQ(std::max_element(row.begin(), row.end()) - row.begin(), chosen[i])
          << "sequence " << s << ", token " << i;
    }
  }
  EXPECT_GT(n_chosen, 0u);

  // Bounds: "How to compare" of the golden data's README.
  const Difference d = compare(reference(), ours);
  RecordProperty("max", std::to_string(d.max));
  RecordProperty("rms", std::to_string(d.rms));
  RecordProperty("mean_kl", std::to_string(d.mean_kl));
  if (!rounds()) {
    EXPECT_LE(d.max, 2e-4);
  } else {
    EXPECT_LT(d.rms, 0.2);
    EXPECT_LT(d.mean_kl, 1.5e-2);
    EXPECT_LT(d.max, 1.2);
    if (by_reference) {
      EXPECT_LT(compare(load("logits.f32"), ours).max, 0.6);
    }
  }
}

class LayerTensors : public GoldenModel {};

TEST_P(LayerTensors, EqualTheReferenceUnderTheSameNames) {
  for (size_t s : {0, 1}) {
    const std::string stem = "steps_f32w.seq" + std::to_string(sequences[s].size());
    const json steps = json::parse(read_text(folder / (stem + ".json"))).at("tensors");
    const std::vector<float> values = read_floats(folder / (stem + ".f32"));
    std::map<std::string, TraceRecord> ours;
    Evaluation run = open([&](TraceRecord&& r) { ours.insert_or_assign(r.name + ":" + r.op, std::move(r)); });
    run.logits(sequences[s]);
    ASSERT_GT(steps.size(), 30u);
    for (const json& step : steps) {
      const std::string name = step.at("name").get<std::string>() + ":" + step.at("op").get<std::string>();
      SCOPED_TRACE(stem + " " + name);
      ASSERT_TRUE(ours.contains(name));
      const TraceRecord& record = ours.at(name);
      ASSERT_EQ(record.shape, step.at("shape").get<std::vector<size_t>>());
      const size_t offset = step.at("offset_floats");
      double worst = 0;
      for (size_t i = 0; i < record.values.size(); ++i)
        worst = std::max(worst, std::fabs(record.values[i] - double(values[offset + i])));
      // An evaluator in f32 adds its own rounding to the reference's.
      EXPECT_LE(worst, GetParam().evaluator->name == "exact" ? 1e-4 : 2e-4);
    }
  }
}

TEST_P(GoldenModel, BatchEqualsSingleStepsBitForBit) {
  Evaluation run = open();
  const std::vector<int32_t>& ids = sequences[1];
  const Rows batch = run.logits(ids);
  for (const size_t n_batch : {1, 5}) EXPECT_EQ(run.logits(ids, n_batch).values, batch.values) << n_batch;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModel,
                         testing::ValuesIn(cases({"gemma3-F16", "llama-F16", "llama-IQ4_XS", "llama-Q4_0",
                                                  "llama-Q4_K_M", "llama-Q5_K_M", "llama-Q6_K", "llama-Q8_0",
                                                  "llama-mixed", "llama-small-F32", "phi3-F16", "qwen2-F16",
                                                  "qwen2-Q4_K_M", "qwen3-F16", "qwen3-Q4_K_M"})),
                         test_name);

INSTANTIATE_TEST_SUITE_P(All, LayerTensors,
                         testing::ValuesIn(cases({"llama-small-F32", "llama-F16", "qwen3-F16"})), test_name);

}  // namespace
}  // namespace assay::golden
