// The tiny models of tests/golden/models/tiny: one for each behaviour of an architecture, against llama.cpp.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "golden.h"

namespace assay::golden {
namespace {

using nlohmann::json;

const std::filesystem::path kFolder = std::filesystem::path(ASSAY_SOURCE_DIR) / "tests/golden/models/tiny";

struct Case {
  const Evaluator* evaluator;
  std::string model, architecture, suffix;
  std::vector<int32_t> ids;
  size_t n_ctx;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.model << c.suffix << " on " << c.evaluator->name;
}

std::vector<Case> cases() {
  const json models = json::parse(read_text(kFolder / "models.json"));
  std::vector<Case> all;
  for (const Evaluator& evaluator : evaluators())
    for (const json& m : models)
      for (const auto& [suffix, n_ctx] : m.at("contexts").items())
        all.push_back({&evaluator, m.at("name"), m.at("architecture"), suffix, m.at("tokens"), n_ctx});
  return all;
}

class TinyModel : public testing::TestWithParam<Case> {
 protected:
  Evaluation open() const {
    return Evaluation(kFolder / (GetParam().model + ".gguf"), *GetParam().evaluator, GetParam().n_ctx);
  }
};

TEST_P(TinyModel, Logits) {
  Evaluation run = open();
  EXPECT_THAT(run.model().warnings(), testing::IsEmpty());
  const Rows reference{run.model().hparams().vocab_size,
                       read_floats(kFolder / (GetParam().model + GetParam().suffix + ".logits.f32"))};
  const Rows ours = run.logits(GetParam().ids);
  const Difference d = compare(reference, ours);
  RecordProperty("max", std::to_string(d.max));
  // llama.cpp looks GELU up in a table of f16 values; the golden README measures what that does to logits.
  const bool gelu =
      testing::Matches(testing::AnyOf("gemma2", "gemma3", "gpt2", "starcoder2"))(GetParam().architecture);
  EXPECT_LE(d.max, gelu ? 1e-2 : 2e-4) << "rms " << d.rms;
  EXPECT_THAT(wrong_tops(reference, ours, gelu ? 2e-2 : 4e-4), testing::IsEmpty());
}

TEST_P(TinyModel, BatchEqualsSingleStepsBitForBit) {
  Evaluation run = open();
  const Rows batch = run.logits(GetParam().ids);
  for (const size_t n_batch : {1, 7})
    EXPECT_EQ(run.logits(GetParam().ids, n_batch).values, batch.values) << n_batch;
}

INSTANTIATE_TEST_SUITE_P(All, TinyModel, testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.evaluator->name + "_" + info.param.model + info.param.suffix;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace assay::golden
