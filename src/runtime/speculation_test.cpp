// A drafter may be right, wrong or absurd: the text stays the same.
#include "runtime/speculation.h"

#include <gtest/gtest.h>

#include "runtime/generate.h"

namespace assay {
namespace {

LoadedModel& tales() {
  static LoadedModel loaded(ASSAY_SOURCE_DIR "/models/tales-6m-f16.gguf",
                            {.backend = "cpu", .n_threads = 2, .with_tokenizer = true, .progress = {}});
  return loaded;
}

struct Text {
  std::vector<int32_t> ids;  // of the session afterwards
  std::string text;
  GenerateResult result;
};

Text tell(Drafter* drafter, size_t n_draft, const SamplingParams& params, size_t n_ctx = 256,
          size_t n_predict = 120) {
  LoadedModel& model = tales();
  Session session(model.model(), model.ops(),
                  {.n_ctx = n_ctx, .n_batch = 7, .n_logit_rows = 3, .kv_type = KvType::f16});
  Sampler sampler(params, size_t(model.tokenizer().vocabulary().n_tokens()));
  Text t;
  GenerateOptions options;
  options.n_predict = n_predict;
  options.drafter = drafter;
  options.n_draft = n_draft;
  t.result = generate(session, model.tokenizer(), sampler, model.tokenizer().encode("Once upon a time"),
                      options, [&](std::string_view piece) { t.text += piece; });
  t.ids.assign(session.ids().begin(), session.ids().end());
  return t;
}

std::vector<SamplingParams> ways_to_sample() {
  SamplingParams greedy, seeded, penalized;
  greedy.temperature = 0;
  seeded.seed = 7;
  penalized.seed = 8;
  penalized.repeat_penalty = 1.2f;
  penalized.xtc_probability = 0.3f;
  return {greedy, seeded, penalized};
}

/// What a known text will say, with every `wrong`-th guess spoiled (0: none).
class Oracle final : public Drafter {
 public:
  Oracle(std::vector<int32_t> text, size_t wrong) : text_(std::move(text)), wrong_(wrong) {}
  void propose(std::span<const int32_t> ids, size_t n_most, std::vector<int32_t>& draft) override {
    for (size_t i = ids.size(); i < text_.size() && draft.size() < n_most; ++i)
      draft.push_back(wrong_ != 0 && ++n_ % wrong_ == 0 ? (text_[i] + 1) % 2048 : text_[i]);
  }

 private:
  std::vector<int32_t> text_;
  size_t wrong_, n_ = 0;
};

TEST(Speculation, ChangesNoToken) {
  for (const SamplingParams& params : ways_to_sample()) {
    const Text plain = tell(nullptr, 0, params);
    EXPECT_EQ(plain.result.n_passes, plain.result.n_steps);
    const auto same = [&](Drafter& drafter, size_t n_draft) {
      const Text t = tell(&drafter, n_draft, params);
      EXPECT_EQ(t.text, plain.text);
      EXPECT_EQ(t.ids, plain.ids);
      EXPECT_EQ(t.result.reason, plain.result.reason);
      EXPECT_EQ(t.result.n_passes + t.result.n_accepted, plain.result.n_passes);
      return t.result;
    };
    PromptLookup lookup;
    for (const size_t n_draft : {1, 4, 16}) same(lookup, n_draft);
    for (const size_t wrong : {0, 1, 2, 5}) {
      Oracle oracle(plain.ids, wrong);
      const GenerateResult result = same(oracle, 8);
      if (wrong == 0) {
        EXPECT_GT(result.n_accepted, 4 * result.n_passes);
      }
      if (wrong == 1) {
        EXPECT_EQ(result.n_accepted, 0u);
      }
    }
    DraftModel itself(tales(), tales().tokenizer(), {.n_ctx = 256});
    same(itself, 5);
  }
}

TEST(Speculation, EndsWithTheContextAsWithout) {
  for (const size_t n_ctx : {20, 21, 23, 40}) {
    const Text plain = tell(nullptr, 0, ways_to_sample()[0], n_ctx, SIZE_MAX);
    EXPECT_EQ(plain.result.reason, EndReason::context_full);
    Oracle oracle(tell(nullptr, 0, ways_to_sample()[0]).ids, 3);
    const Text ahead = tell(&oracle, 8, ways_to_sample()[0], n_ctx, SIZE_MAX);
    EXPECT_EQ(ahead.text, plain.text);
    EXPECT_EQ(ahead.ids, plain.ids);
    EXPECT_EQ(ahead.result.reason, EndReason::context_full);
  }
}

TEST(PromptLookup, ContinuesTheLatestLongestMatch) {
  const auto guess = [](std::vector<int32_t> ids, size_t n_most) {
    std::vector<int32_t> draft;
    PromptLookup().propose(ids, n_most, draft);
    return draft;
  };
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(guess({1, 2, 3, 9, 2, 3}, 2), (Ids{9, 2}));
  EXPECT_EQ(guess({2, 3, 7, 2, 3, 8, 2, 3}, 1), (Ids{8}));        // the latest
  EXPECT_EQ(guess({1, 2, 3, 7, 2, 3, 8, 1, 2, 3}, 1), (Ids{7}));  // the longest
  EXPECT_EQ(guess({5, 5}, 4), (Ids{5}));
  EXPECT_EQ(guess({1, 2, 3}, 4), Ids{});
  EXPECT_EQ(guess({}, 4), Ids{});
}

TEST(DraftModel, RefusesAnotherVocabulary) {
  LoadedModel other(ASSAY_SOURCE_DIR "/tests/golden/models/llama-Q4_K_M/model.gguf",
                    {.backend = "cpu", .n_threads = 1, .with_tokenizer = true, .progress = {}});
  EXPECT_THROW(DraftModel(other, tales().tokenizer(), {.n_ctx = 32}), UsageError);
}

}  // namespace
}  // namespace assay
