// What the trace decorator records, and that it changes nothing.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "golden.h"

namespace assay::golden {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(ASSAY_SOURCE_DIR) / "tests/golden/models/tiny";
const std::vector<int32_t> kIds = {0, 17, 4, 90, 33, 33, 58, 7, 21, 64, 80, 12};

using Trace = std::map<std::string, TraceRecord>;

Trace trace(const std::string& model, const Evaluator& evaluator) {
  Trace records;
  Evaluation run(kFolder / (model + ".gguf"), evaluator, 0,
                 [&](TraceRecord&& r) { records.insert_or_assign(r.name + ":" + r.op, std::move(r)); });
  run.logits(kIds);
  return records;
}

TEST(Trace, LeavesResultsAlone) {
  for (const Evaluator& evaluator : evaluators())
    for (const char* model : {"gemma2", "mixtral", "gpt2"}) {
      size_t n_records = 0;
      Evaluation traced(kFolder / (std::string(model) + ".gguf"), evaluator, 0,
                        [&](TraceRecord&&) { ++n_records; });
      Evaluation plain(kFolder / (std::string(model) + ".gguf"), evaluator);
      EXPECT_EQ(traced.logits(kIds).values, plain.logits(kIds).values) << model << " on " << evaluator.name;
      EXPECT_GT(n_records, 20u);
    }
}

TEST(Trace, SoftMaxSumsToOneInsideTheWindowAndIsZeroOutside) {
  const Trace t = trace("gemma2", evaluators()[0]);  // window 8 in layer 0, none in layer 1
  for (const auto& [name, window] :
       {std::pair{"kq_soft_max-0:SOFT_MAX", 8}, {"kq_soft_max-1:SOFT_MAX", 1000}}) {
    const TraceRecord& r = t.at(name);
    ASSERT_THAT(r.shape, testing::ElementsAre(4, kIds.size(), kIds.size()));
    for (size_t row = 0; row < 4 * kIds.size(); ++row) {
      const double* p = r.values.data() + row * kIds.size();
      EXPECT_NEAR(std::accumulate(p, p + kIds.size(), 0.0), 1, 1e-12);
      const int position = int(row % kIds.size());
      for (int j = 0; j < int(kIds.size()); ++j)
        EXPECT_EQ(p[j] > 0, j <= position && j > position - window)
            << name << " row " << row << ", key " << j;
    }
  }
}

TEST(Trace, NamesEveryStepOfAMixture) {
  const Trace t = trace("mixtral", evaluators()[0]);
  const size_t n = kIds.size();
  const auto shape = [&](const char* name) { return t.at(name).shape; };
  EXPECT_THAT(shape("ffn_moe_logits-1:MUL_MAT"), testing::ElementsAre(n, 4));
  EXPECT_THAT(shape("ffn_moe_topk-1:ARGSORT"), testing::ElementsAre(n, 2));
  EXPECT_THAT(shape("ffn_moe_weights_norm-1:DIV"), testing::ElementsAre(n, 2));
  EXPECT_THAT(shape("ffn_moe_gate-1:MUL_MAT_ID"), testing::ElementsAre(n, 2, 48));
  EXPECT_THAT(shape("ffn_moe_down-1:MUL_MAT_ID"), testing::ElementsAre(n, 2, 32));
  EXPECT_THAT(shape("ffn_moe_out-1:ADD"), testing::ElementsAre(n, 32));
  const std::vector<double>& weights = t.at("ffn_moe_weights_norm-1:DIV").values;
  for (size_t i = 0; i < n; ++i) EXPECT_NEAR(weights[2 * i] + weights[2 * i + 1], 1, 1e-12);
}

TEST(Trace, ProductsWithBiasesAreAdditions) {
  const Trace t = trace("gpt2", evaluators()[0]);
  for (const char* name : {"pos_embd:GET_ROWS", "inpL:ADD", "attn_norm-0:ADD", "wqkv-0:ADD",
                           "ffn_gelu-0:UNARY", "ffn_out-0:ADD", "result_output:MUL_MAT"})
    EXPECT_TRUE(t.contains(name)) << name;
}

TEST(Trace, KeepsTheFirstFailureOfItsSinkAndGoesOn) {
  ThreadPool pool(1);
  const std::unique_ptr<Ops> exact = evaluators()[0].make(pool);
  int n_calls = 0;
  TraceOps ops(*exact, [&](TraceRecord&&) {
    ++n_calls;
    throw std::runtime_error("disk full");
  });
  const Tensor x = ops.allocate(1, 2);
  const double values[] = {3, 4};
  ops.write(x, values);
  EXPECT_EQ(ops.failure(), nullptr);
  ops.scale({"x"}, x, 2);
  ops.scale({"x"}, x, 2);
  EXPECT_NE(ops.failure(), nullptr);
  EXPECT_EQ(n_calls, 1);
  double after[2];
  ops.read(x, after);
  EXPECT_THAT(after, testing::ElementsAre(12, 16));
}

}  // namespace
}  // namespace assay::golden
