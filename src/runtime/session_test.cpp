// Sessions and generation on a small golden model, by the exact evaluator.
#include "runtime/session.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <deque>

#include "runtime/generate.h"
#include "runtime/loaded_model.h"

namespace assay {
namespace {

LoadedModel& model() {
  static LoadedModel loaded(ASSAY_SOURCE_DIR "/tests/golden/models/llama-Q4_K_M/model.gguf",
                            {.backend = "cpu", .n_threads = 1, .with_tokenizer = true, .progress = {}});
  return loaded;
}

Session make_session(size_t n_ctx, size_t n_batch = 256, size_t n_logit_rows = 1,
                     KvType kv_type = KvType::f16) {
  return Session(model().model(), model().ops(),
                 {.n_ctx = n_ctx, .n_batch = n_batch, .n_logit_rows = n_logit_rows, .kv_type = kv_type});
}

std::vector<float> logits_after(const std::vector<int32_t>& ids, KvType kv_type = KvType::f16) {
  Session session = make_session(ids.size(), 256, 1, kv_type);
  EXPECT_EQ(session.prefill(ids), Status::ok);
  return {session.logits().begin(), session.logits().end()};
}

std::vector<float> logits_of(const Session& session) {
  return {session.logits().begin(), session.logits().end()};
}

const std::vector<int32_t> kIds = {1, 243, 190, 207, 363, 50, 25, 180};

TEST(Session, LogitsDoNotDependOnHowTheTokensCome) {
  for (const KvTypeInfo& kv : kv_types()) {
    const std::vector<float> expected = logits_after(kIds, kv.type);
    for (size_t n_batch = 1; n_batch <= kIds.size(); ++n_batch) {
      Session session = make_session(16, n_batch, 1, kv.type);
      EXPECT_EQ(session.prefill(kIds), Status::ok);
      EXPECT_EQ(logits_of(session), expected) << kv.name;
    }
    Session session = make_session(16, 256, 1, kv.type);
    for (const int32_t id : kIds) EXPECT_EQ(session.step(id), Status::ok);
    EXPECT_EQ(logits_of(session), expected) << kv.name;
  }
}

TEST(Session, CacheTypesDifferInLogitsAndSize) {
  std::vector<std::vector<float>> seen;
  for (const KvTypeInfo& kv : kv_types()) {
    const std::vector<float> logits = logits_after(kIds, kv.type);
    EXPECT_EQ(std::ranges::find(seen, logits), seen.end()) << kv.name;
    seen.push_back(logits);
    const Hparams& h = model().model().hparams();
    EXPECT_EQ(double(make_session(16, 1, 1, kv.type).kv_bytes()),
              2.0 * double(h.n_layers * h.n_kv_heads * h.head_dim * 16) * kv.bytes_per_number);
  }
}

TEST(Session, RefusesHeadsThatACacheCannotGroup) {
  LoadedModel heads_of_16(ASSAY_SOURCE_DIR "/tests/golden/models/tiny/gemma2.gguf",
                          {.backend = "cpu", .n_threads = 1, .with_tokenizer = false, .progress = {}});
  for (const KvTypeInfo& kv : kv_types()) {
    const auto make = [&] {
      Session(heads_of_16.model(), heads_of_16.ops(), {.n_ctx = 8, .kv_type = kv.type});
    };
    if (16 % kv.group == 0)
      EXPECT_NO_THROW(make()) << kv.name;
    else
      EXPECT_THROW(make(), UsageError) << kv.name;
  }
}

TEST(Session, SteppingTogetherIsSteppingAlone) {
  for (const size_t n_batch : {1, 3, 4, 9})
    for (const size_t n_logit_rows : {1, 2, 9}) {
      std::deque<Session> sessions;
      std::vector<Session*> together;
      for (size_t i = 0; i < 4; ++i) {  // each of its own length and text
        together.push_back(&sessions.emplace_back(make_session(16, n_batch, n_logit_rows)));
        EXPECT_EQ(sessions.back().prefill(std::span(kIds).first(1 + i)), Status::ok);
      }
      for (size_t step = 0; step < 3; ++step) {
        std::vector<int32_t> ids;
        for (size_t i = 0; i < 4; ++i) ids.push_back(kIds[(1 + i + step) % kIds.size()]);
        EXPECT_EQ(Session::step_together(together, ids), Status::ok);
      }
      for (size_t i = 0; i < 4; ++i) {
        std::vector<int32_t> ids;
        for (size_t j = 0; j < 1 + i + 3; ++j) ids.push_back(kIds[j % kIds.size()]);
        EXPECT_EQ(std::vector(sessions[i].ids().begin(), sessions[i].ids().end()), ids);
        EXPECT_EQ(logits_of(sessions[i]), logits_after(ids));
      }
    }
}

TEST(Session, SteppingTogetherNeedsRoomInAll) {
  Session wide = make_session(16), full = make_session(1);
  EXPECT_EQ(full.step(kIds[0]), Status::ok);
  Session* const both[] = {&wide, &full};
  EXPECT_EQ(Session::step_together(both, std::span(kIds).first(2)), Status::context_full);
  EXPECT_TRUE(wide.ids().empty());
  EXPECT_EQ(full.ids().size(), 1u);
}

TEST(Session, RowsAreTheLogitsOfEveryPrefix) {
  for (const size_t n_batch : {1, 3, 8})
    for (const size_t n_logit_rows : {1, 2, 8}) {
      Session session = make_session(16, n_batch, n_logit_rows);
      EXPECT_EQ(session.step(kIds[0]), Status::ok);
      size_t n_rows = 1;
      const std::span<const int32_t> rest = std::span(kIds).subspan(1);
      EXPECT_EQ(session.prefill(rest,
                                [&](size_t position, std::span<const float> row, std::span<const float>) {
                                  EXPECT_EQ(position, n_rows++);
                                  const auto prefix = std::span(kIds).first(position + 1);
                                  EXPECT_EQ(std::vector<float>(row.begin(), row.end()),
                                            logits_after({prefix.begin(), prefix.end()}));
                                }),
                Status::ok);
      EXPECT_EQ(n_rows, kIds.size());
      EXPECT_EQ(logits_of(session), logits_after(kIds));
    }
}

RC_GTEST_PROP(Session, KeepsWhatASecondPromptShares, (size_t n_shared, uint8_t other)) {
  n_shared %= kIds.size();
  std::vector<int32_t> second(kIds.begin(), kIds.begin() + std::ptrdiff_t(n_shared));
  second.push_back(kIds[n_shared] == other ? other + 1 : other);
  Session session = make_session(16);
  session.prefill(kIds);
  RC_ASSERT(session.keep_prefix(second) == n_shared);
  session.prefill(std::span(second).subspan(n_shared));
  RC_ASSERT(logits_of(session) == logits_after(second));
}

TEST(Session, LeavesOneTokenToCompute) {
  Session session = make_session(16);
  session.prefill(kIds);
  EXPECT_EQ(session.keep_prefix(kIds), kIds.size() - 1);
  EXPECT_EQ(session.keep_prefix({}), 0u);
}

TEST(Session, ContextFullIsAStatusAndChangesNothing) {
  Session session = make_session(kIds.size() + 1);
  EXPECT_EQ(session.prefill(kIds), Status::ok);
  EXPECT_EQ(session.prefill(std::vector<int32_t>{1, 2}), Status::context_full);
  EXPECT_EQ(session.ids().size(), kIds.size());
  EXPECT_EQ(session.step(1), Status::ok);
  EXPECT_EQ(session.step(1), Status::context_full);
  session.reset();
  EXPECT_EQ(session.prefill(kIds), Status::ok);
  EXPECT_EQ(logits_of(session), logits_after(kIds));
}

TEST(Session, StopsBetweenBatches) {
  const std::atomic<bool> cancel{true};
  Session session = make_session(16, 2);
  EXPECT_EQ(session.prefill(kIds, &cancel), Status::cancelled);
  EXPECT_EQ(session.ids().size(), 0u);
}

TEST(Session, RefusesSizesThatCannotBe) {
  EXPECT_THROW(make_session(size_t(1) << 40), UsageError);
  EXPECT_THROW(make_session(size_t(1) << 30), MachineError);
  EXPECT_THROW(make_session(16, 0), UsageError);
}

SamplingParams greedy() {
  SamplingParams params;
  params.temperature = 0;
  return params;
}

/// The text and result of a greedy continuation of kIds.
std::pair<std::string, GenerateResult> continued(size_t n_ctx, const GenerateOptions& options) {
  Session session = make_session(n_ctx);
  SamplingParams params = greedy();
  forbid_end_of_text(params, model().tokenizer());
  Sampler sampler(params, size_t(model().tokenizer().vocabulary().n_tokens()));
  std::string text;
  const GenerateResult result = generate(session, model().tokenizer(), sampler, kIds, options,
                                         [&](std::string_view piece) { text += piece; });
  return {text, result};
}

TEST(Generate, EndsForTheReasonItSays) {
  const auto [text, twelve] = continued(64, {.n_predict = 12, .stop_strings = {}});
  EXPECT_EQ(twelve.reason, EndReason::n_predict);
  EXPECT_EQ(twelve.n_prompt, kIds.size());
  EXPECT_EQ(twelve.n_generated, 12u);
  EXPECT_EQ(twelve.n_steps, 11u);

  const auto [short_text, full] = continued(kIds.size() + 3, {});
  EXPECT_EQ(full.reason, EndReason::context_full);
  EXPECT_EQ(full.n_generated, 4u);  // the last is shown and has no place
  EXPECT_EQ(text.compare(0, short_text.size(), short_text), 0);

  EXPECT_EQ(continued(64, {.n_predict = 0, .stop_strings = {}}).first, "");

  const std::string stop = text.substr(text.size() / 2, 2);
  const auto [stopped_text, stopped] = continued(64, {.n_predict = 12, .stop_strings = {stop}});
  EXPECT_EQ(stopped.reason, EndReason::stop_string);
  EXPECT_EQ(stopped_text, text.substr(0, text.find(stop)));

  // The text's end could begin this one, which never comes: it is shown all the same.
  const std::string begun = text.substr(text.size() - 1) + "#";
  EXPECT_EQ(continued(64, {.n_predict = 12, .stop_strings = {begun}}).first, text);

  std::atomic<bool> cancel{true};
  GenerateOptions options;
  options.cancel = &cancel;
  EXPECT_EQ(continued(64, options).second.reason, EndReason::cancelled);
  EXPECT_THROW(continued(kIds.size() - 1, {}), UsageError);
}

}  // namespace
}  // namespace assay
