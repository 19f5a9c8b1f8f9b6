// Traces made under each fault are diagnosed; healthy ones are not.
#include "diagnose/replay/trace_diagnosis.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "diagnose/logit_diagnosis.h"
#include "diagnose/trace.h"

namespace assay {
namespace {

const std::filesystem::path kTiny = std::filesystem::path(ASSAY_SOURCE_DIR) / "tests/golden/models/tiny";
const std::vector<int32_t> kIds = {0, 17, 4, 90, 33, 33, 58, 7, 21, 64, 80, 12};

ForeignTrace trace_of(const Model& model, ThreadPool& pool, const Fault* fault) {
  FaultyEngine engine(model, pool, fault ? std::span(&fault, 1) : std::span<const Fault* const>());
  ForeignTrace trace;
  for (NamedTensor& t : trace_tokens(model, engine.ops(), kIds, KvType::f32))
    trace.add(t.name, {{t.shape.begin(), t.shape.end()}, std::move(t.values)});
  return trace;
}

bool names(const Finding& finding, const Fault& fault) {
  for (const Finding::Candidate& c : finding.candidates)
    if (c.fault == &fault) return true;
  return false;
}

class Diagnosed : public testing::TestWithParam<const char*> {
 protected:
  /// Whether the fault moves logits by more than engines differ in f32: some tell apart what rounds to the
  /// same.
  bool is_visible(const Fault& fault) {
    const Fault* list[] = {&fault};
    FaultyEngine engine(model, pool, list);
    if (!engine.applies()) return false;
    const std::vector<float> faulty = engine.logits(kIds, KvType::f32);
    double error = 0, norm = 0;
    for (size_t i = 0; i < faulty.size(); ++i) {
      if (!std::isfinite(faulty[i])) return true;
      error += std::pow(faulty[i] - healthy[i], 2);
      norm += std::pow(healthy[i], 2);
    }
    return error > 1e-8 * norm;
  }

  ThreadPool pool{1};
  Model model{GgufFile::open(kTiny / GetParam())};
  std::vector<float> healthy = FaultyEngine(model, pool).logits(kIds, KvType::f32);
};

TEST_P(Diagnosed, EveryFaultOfComputationIsOnTheList) {
  size_t n = 0, n_alone = 0;
  for (const Fault* fault : faults()) {
    if (!std::holds_alternative<OpsFault>(fault->injection)) continue;
    if (!is_visible(*fault)) continue;
    const Finding finding = diagnose_trace(model, pool, kIds, trace_of(model, pool, fault));
    EXPECT_TRUE(names(finding, *fault))
        << fault->id << ": " << verdict_name(finding.verdict) << " at " << finding.place;
    ++n;
    n_alone += finding.verdict == Finding::Verdict::fault;
  }
  EXPECT_GT(n, 30u);
  EXPECT_GE(double(n_alone), 0.8 * double(n)) << n_alone << " of " << n << " named alone";
  RecordProperty("named_alone", std::to_string(n_alone) + " of " + std::to_string(n));
}

TEST_P(Diagnosed, HealthyIsHealthy) {
  EXPECT_EQ(diagnose_trace(model, pool, kIds, trace_of(model, pool, nullptr)).verdict,
            Finding::Verdict::no_fault);
}

INSTANTIATE_TEST_SUITE_P(Tiny, Diagnosed, testing::Values("qwen3moe.gguf", "gemma2.gguf"),
                         [](const auto& info) {
                           return std::string(info.param).substr(0, 5) + std::to_string(info.index);
                         });

TEST(TraceDiagnosis, AFaultThatIsNotInTheListHasItsPlace) {
  ThreadPool pool(1);
  const Model model(GgufFile::open(kTiny / "gemma2.gguf"));
  const Fault& fault = need_fault("ffn-relu");
  TraceDiagnosisOptions options;
  options.hidden = &fault;
  const Finding finding = diagnose_trace(model, pool, kIds, trace_of(model, pool, &fault), options);
  EXPECT_EQ(finding.verdict, Finding::Verdict::unknown_fault);
  EXPECT_NE(finding.place.find("ffn_geglu-0"), std::string::npos) << finding.place;
}

TEST(TraceDiagnosis, LastRowsAndSubsetsWillDo) {
  ThreadPool pool(1);
  const Model model(GgufFile::open(kTiny / "gemma2.gguf"));
  const Fault& fault = need_fault("norm-ffn-missing");
  const ForeignTrace all = trace_of(model, pool, &fault);
  ForeignTrace some;
  for (const auto& [name, tensor] : all.tensors()) {
    if (!name.starts_with("ffn_norm-") && !name.starts_with("sa_out-")) continue;
    const size_t n_cols = tensor.values.size() / kIds.size();
    some.add(name, {{1, 1, n_cols}, {tensor.values.end() - ptrdiff_t(n_cols), tensor.values.end()}});
  }
  EXPECT_TRUE(names(diagnose_trace(model, pool, kIds, some), fault));
}

TEST(LogitDiagnosis, NamesAFaultAndClearsAHealthyRun) {
  ThreadPool pool(1);
  const Model model(GgufFile::open(kTiny / "gemma2.gguf"));
  const auto rows_of = [&](const Fault* fault) {
    FaultyEngine engine(model, pool, fault ? std::span(&fault, 1) : std::span<const Fault* const>());
    const std::vector<float> logits = engine.logits(kIds, KvType::f32);
    const size_t n_vocab = model.hparams().vocab_size;
    ObservedRun run{kIds, {}};
    for (size_t i = 0; i < kIds.size(); ++i)
      run.rows.push_back(
          {i, {}, {logits.begin() + ptrdiff_t(i * n_vocab), logits.begin() + ptrdiff_t((i + 1) * n_vocab)}});
    return std::vector{run};
  };
  const Fault& fault = need_fault("rope-pairs");
  const Finding found = diagnose_logits(model, pool, rows_of(&fault));
  EXPECT_TRUE(names(found, fault)) << verdict_name(found.verdict);
  EXPECT_EQ(diagnose_logits(model, pool, rows_of(nullptr)).verdict, Finding::Verdict::no_fault);
  LogitDiagnosisOptions options;
  options.hidden = &need_fault("ffn-relu");
  EXPECT_EQ(diagnose_logits(model, pool, rows_of(options.hidden), options).verdict,
            Finding::Verdict::unknown_fault);
  const ObservedRun top[] = {{kIds, {{11, {5}, {1.0}, true}}}};
  const Finding refused = diagnose_logits(model, pool, top);
  EXPECT_EQ(refused.verdict, Finding::Verdict::not_enough_data);
  EXPECT_FALSE(refused.refusals.empty());
}

}  // namespace
}  // namespace assay
