// Sums of squares against what a trace of the same tokens shows, experts apart; and what merging must keep.
#include "judge/importance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/trace_ops.h"
#include "runtime/session.h"

namespace assay {
namespace {

constexpr const char* kModels = ASSAY_SOURCE_DIR "/tests/golden/models/";

std::unique_ptr<LoadedModel> load(const std::string& name) {
  return std::make_unique<LoadedModel>(
      kModels + name,
      LoadOptions{.backend = "exact", .n_threads = 2, .with_tokenizer = false, .progress = {}});
}

ScoredText text_of(const LoadedModel& loaded, size_t n_chunks, int32_t bos = 1) {
  ScoredText text;
  text.n_ctx = 24;
  text.n_chunks = n_chunks;
  text.bos = bos;
  for (size_t i = 0; i < 24 * n_chunks; ++i)
    text.ids.push_back(int32_t((i * i * 7 + i * 3 + 5) % loaded.model().hparams().vocab_size));
  return text;
}

using Records = std::map<std::string, TraceRecord>;

/// The last record of each name, of one chunk as one batch.
Records trace(LoadedModel& loaded, const ScoredText& text, size_t chunk) {
  Records records;
  TraceOps ops(loaded.ops(), [&](TraceRecord&& r) {
    std::string name = r.name;
    records[name] = std::move(r);
  });
  Session session(
      loaded.model(), ops,
      {.n_ctx = text.n_ctx, .n_batch = text.n_ctx, .n_logit_rows = text.n_ctx, .kv_type = KvType::f16});
  session.prefill(text.input(chunk), [](size_t, std::span<const float>, std::span<const float>) {});
  return records;
}

/// Sum of squares by column.
std::vector<double> squares(const TraceRecord& r, size_t n_cols) {
  std::vector<double> sums(n_cols);
  for (size_t i = 0; i < r.values.size(); ++i) sums[i % n_cols] += r.values[i] * r.values[i];
  return sums;
}

Imatrix collect(LoadedModel& loaded, const ScoredText& text, ImportanceOptions options = {}, size_t first = 0,
                size_t last = SIZE_MAX) {
  Imatrix into;
  collect_importance(loaded, text, first, options, into, [&](size_t chunk) { return chunk + 1 < last; });
  return into;
}

void expect_near(const std::vector<double>& sums, const std::vector<double>& expected) {
  ASSERT_EQ(sums.size(), expected.size());
  for (size_t i = 0; i < sums.size(); ++i) EXPECT_NEAR(sums[i], expected[i], 1e-9 * (1 + expected[i])) << i;
}

TEST(Importance, IsWhatATraceShows) {
  const auto loaded = load("llama-Q4_K_M/model.gguf");
  const ScoredText text = text_of(*loaded, 1);
  Records records = trace(*loaded, text, 0);
  for (const size_t n_batch : {1, 5, 64}) {
    const Imatrix imatrix = collect(*loaded, text, {.with_output = true, .n_batch = n_batch});
    EXPECT_EQ(imatrix.chunk_count, 1u);
    EXPECT_EQ(imatrix.entries.size(), 7 * loaded->model().hparams().n_layers + 1);
    const auto check = [&](const std::string& weight, const std::string& input) {
      const ImatrixEntry& entry = imatrix.entries.at(weight);
      EXPECT_EQ(entry.counts, std::vector<uint64_t>{text.n_ctx});
      ASSERT_TRUE(records.contains(input)) << input;
      expect_near(entry.sums, squares(records[input], entry.n_cols));
    };
    for (size_t layer = 0; layer < loaded->model().hparams().n_layers; ++layer) {
      const std::string blk = "blk." + std::to_string(layer) + ".", at = "-" + std::to_string(layer);
      for (const char* name : {"attn_q", "attn_k", "attn_v"}) check(blk + name + ".weight", "attn_norm" + at);
      check(blk + "attn_output.weight", "kqv_out" + at);
      for (const char* name : {"ffn_gate", "ffn_up"}) check(blk + name + ".weight", "ffn_norm" + at);
      check(blk + "ffn_down.weight", "ffn_swiglu" + at);
    }
    check("output.weight", "result_norm");
  }
  EXPECT_FALSE(collect(*loaded, text).entries.contains("output.weight"));
}

TEST(Importance, ExpertsCountWhatIsRoutedToThem) {
  const auto loaded = load("tiny/qwen3moe.gguf");
  const Hparams& h = loaded->model().hparams();
  const ScoredText text = text_of(*loaded, 1, -1);
  Records records = trace(*loaded, text, 0);
  const Imatrix imatrix = collect(*loaded, text);
  for (size_t layer = 0; layer < h.n_layers; ++layer) {
    const std::string at = "-" + std::to_string(layer);
    const TraceRecord& chosen = records.at("ffn_moe_topk" + at);
    const TraceRecord &input = records.at("ffn_norm" + at), &inner = records.at("ffn_moe_swiglu" + at);
    const ImatrixEntry& gate = imatrix.entries.at("blk." + std::to_string(layer) + ".ffn_gate_exps.weight");
    const ImatrixEntry& down = imatrix.entries.at("blk." + std::to_string(layer) + ".ffn_down_exps.weight");
    std::vector<uint64_t> counts(h.n_experts);
    std::vector<double> gate_sums(h.n_experts * gate.n_cols), down_sums(h.n_experts * down.n_cols);
    const size_t n_used = chosen.values.size() / text.n_ctx;
    for (size_t slot = 0; slot < chosen.values.size(); ++slot) {
      const auto expert = size_t(chosen.values[slot]);
      ++counts[expert];
      for (size_t j = 0; j < gate.n_cols; ++j) {
        const double x = input.values[slot / n_used * gate.n_cols + j];
        gate_sums[expert * gate.n_cols + j] += x * x;
      }
      for (size_t j = 0; j < down.n_cols; ++j) {
        const double x = inner.values[slot * down.n_cols + j];
        down_sums[expert * down.n_cols + j] += x * x;
      }
    }
    EXPECT_EQ(gate.counts, counts);
    EXPECT_EQ(down.counts, counts);
    expect_near(gate.sums, gate_sums);
    expect_near(down.sums, down_sums);
  }
}

TEST(Importance, PartsMergeToTheWhole) {
  const auto loaded = load("llama-Q4_K_M/model.gguf");
  const ScoredText text = text_of(*loaded, 3);
  const Imatrix whole = collect(*loaded, text);
  Imatrix parts = collect(*loaded, text, {}, 0, 1);
  EXPECT_EQ(parts.chunk_count, 1u);
  merge(parts, collect(*loaded, text, {}, 1));
  // Going on where a run ended is the same sum.
  Imatrix resumed = collect(*loaded, text, {}, 0, 2);
  collect_importance(*loaded, text, 2, {}, resumed, [](size_t) { return true; });
  EXPECT_EQ(resumed.chunk_count, 3u);
  for (const auto& [name, entry] : whole.entries) {
    EXPECT_EQ(resumed.entries.at(name).sums, entry.sums);
    EXPECT_EQ(parts.entries.at(name).counts, entry.counts);
    expect_near(parts.entries.at(name).sums, entry.sums);
  }
}

TEST(Importance, ChangesNoLogit) {
  const auto loaded = load("tiny/qwen3moe.gguf");
  const ScoredText text = text_of(*loaded, 1, -1);
  const auto logits = [&] {
    Session session(loaded->model(), loaded->ops(), {.n_ctx = text.n_ctx});
    session.prefill(text.input(0));
    return std::vector<float>(session.logits().begin(), session.logits().end());
  };
  const std::vector<float> before = logits();
  collect(*loaded, text);
  EXPECT_EQ(logits(), before);
}

TEST(Importance, RefusesAnotherModelsEntries) {
  const auto loaded = load("llama-Q4_K_M/model.gguf");
  Imatrix into;
  into.entries["blk.0.attn_q.weight"] = {.n_cols = 3, .counts = {1}, .sums = {1, 2, 3}};
  EXPECT_THROW(collect_importance(*loaded, text_of(*loaded, 1), 0, {}, into, [](size_t) { return true; }),
               UsageError);
}

}  // namespace
}  // namespace assay
