#include "sampling/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>

#include "sampling/portable_math.h"

namespace {
size_t n_allocations = 0;
}
// Out of line: inlined, the pair of malloc and free looks mismatched to g++'s warnings.
[[gnu::noinline]] void* operator new(size_t n_bytes) {
  ++n_allocations;
  if (void* memory = std::malloc(n_bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t n_bytes, const std::nothrow_t&) noexcept {
  ++n_allocations;
  return std::malloc(n_bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace assay {
namespace {
constexpr float kInfinity = std::numeric_limits<float>::infinity(),
                kNan = std::numeric_limits<float>::quiet_NaN();

SamplingParams plain(float temperature = 1) {
  SamplingParams p;
  p.temperature = temperature;
  p.samplers = "temperature";
  return p;
}

TEST(Rng, GivesThePublishedWords) {
  // splitmix64 of 0 begins e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f, f88bb8a8724c81ec;
  // xoshiro256** of that state.
  Rng rng(0);
  EXPECT_EQ(rng.next_bits(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(rng.next_bits(), 0xbf6e1f784956452au);
  EXPECT_EQ(rng.next_bits(), 0x1a5f849d4933e6e0u);
}

TEST(PortableMath, AgreesWithTheLibrary) {
  for (double x = 0; x > -720; x -= 0.0137)
    EXPECT_NEAR(portable_exp(x), std::exp(x), 4e-16 * std::exp(x) + 1e-307) << x;
  EXPECT_EQ(portable_exp(0), 1.0);
  EXPECT_EQ(portable_exp(-INFINITY), 0.0);
  for (double x = 1e-320; x < 1e300; x *= 1.37)
    EXPECT_NEAR(portable_log(x), std::log(x), 1e-15 * std::max(1.0, std::abs(std::log(x)))) << x;
  EXPECT_EQ(portable_log(1), 0.0);
  EXPECT_EQ(portable_log(0), -INFINITY);
}

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) {
  for (const float temperature : {0.0f, -1.0f}) {
    SamplingParams p;
    p.temperature = temperature;
    p.xtc_probability = 1;  // truncation has no say
    p.xtc_threshold = 0;
    p.typical = 0.01f;
    Sampler sampler(p, 5);
    EXPECT_EQ(sampler.next(std::vector<float>{1, 3, 2, 3, -kInfinity}), 1);
    EXPECT_EQ(sampler.candidates().size(), 1u);
    EXPECT_EQ(sampler.probabilities()[0], 1.0);
    EXPECT_EQ(sampler.next(std::vector<float>(5, -2.0f)), 0);
  }
}

TEST(Sampler, GreedyHeedsPenaltiesAndBias) {
  SamplingParams p;
  p.temperature = 0;
  p.frequency_penalty = 1;
  p.logit_bias = {{2, -kInfinity}, {0, 5}, {0, 0.5f}};  // the last word on 0 counts
  Sampler sampler(p, 3);
  const std::vector<float> logits{1, 1.75f, 9};
  EXPECT_EQ(sampler.next(logits), 1);
  sampler.accept(1);
  EXPECT_EQ(sampler.next(logits), 0);
}

TEST(Sampler, ASeedGivesTheSameTokensEverywhere) {
  SamplingParams p;
  p.seed = 7;
  const auto draw = [](Sampler& sampler, int n) {
    std::vector<int32_t> ids;
    std::vector<float> logits(1000);
    for (int step = 0; step < n; ++step) {
      for (size_t id = 0; id < logits.size(); ++id)
        logits[id] = float((id * 7919 + size_t(step) * 104729) % 1000) * 0.01f;
      ids.push_back(sampler.next(logits));
      sampler.accept(ids.back());
    }
    return ids;
  };
  Sampler a(p, 1000), b(p, 1000);
  const auto ids = draw(a, 12);
  EXPECT_EQ(ids, draw(b, 12));
  EXPECT_THAT(ids, testing::ElementsAre(25, 898, 969, 225, 234, 638, 696, 347, 566, 686, 189,
                                        445));  // to be the same on every platform and compiler
  Sampler copy = a;
  EXPECT_EQ(draw(a, 5), draw(copy, 5));
  p.seed = 8;
  Sampler other(p, 1000);
  EXPECT_NE(ids, draw(other, 12));
}

TEST(Sampler, DrawsByProbability) {
  constexpr int kDraws = 60000;
  std::vector<float> logits;
  for (int id = 0; id < 12; ++id) logits.push_back(float(id % 5) * 0.7f - float(id) * 0.1f);
  for (const float temperature : {0.5f, 1.0f, 1.7f}) {
    Sampler sampler(plain(temperature), logits.size());
    std::vector<int> counts(logits.size());
    for (int i = 0; i < kDraws; ++i) ++counts[size_t(sampler.next(logits))];
    double sum = 0, chi_squared = 0;
    for (const float logit : logits) sum += std::exp(double(logit) / double(temperature));
    for (size_t id = 0; id < logits.size(); ++id) {
      const double expected = kDraws * std::exp(double(logits[id]) / double(temperature)) / sum;
      chi_squared += (counts[id] - expected) * (counts[id] - expected) / expected;
    }
    EXPECT_LT(chi_squared, 31.3) << temperature;  // 11 degrees of freedom: exceeded once in 1000 seeds
  }
}

TEST(Sampler, NeverDrawsWhatIsForbidden) {
  SamplingParams p = plain();
  p.logit_bias = {{1, -kInfinity}};
  Sampler sampler(p, 4);
  const std::vector<float> logits{-kInfinity, 50, 0, -kInfinity};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(sampler.next(logits), 2);
}

TEST(Sampler, RefusesBadLogits) {
  for (const float temperature : {0.0f, 0.8f}) {
    SamplingParams p;
    p.temperature = temperature;
    Sampler sampler(p, 3);
    const auto message = [&](std::vector<float> logits) -> std::string {
      try {
        sampler.next(logits);
      } catch (const BadLogits& e) {
        return e.what();
      }
      return "no error";
    };
    EXPECT_EQ(message({1, kNan, 2}), "logit of token 1 is not a number");
    EXPECT_EQ(message({1, 0, kInfinity}), "logit of token 2 is +infinity");
    EXPECT_EQ(message({-kInfinity, -kInfinity, -kInfinity}), "every token's logit is -infinity");
    EXPECT_EQ(message({1, -kInfinity, 2}), "no error");  // and the sampler goes on after an error
    EXPECT_THROW(sampler.next(std::vector<float>(4)), std::invalid_argument);
    EXPECT_THROW(sampler.accept(3), std::invalid_argument);
    EXPECT_THROW(sampler.accept(-1), std::invalid_argument);
  }
}

// Penalties push token 1 to -infinity. The stages after them, which take means and entropies of what is left,
// do not meet it: either token may be drawn while both are in play, and the only one left always is.
TEST(Sampler, ATokenThatAStagePushedToMinusInfinityIsOutOfPlay) {
  SamplingParams p;
  p.temperature = 0.8f;
  p.top_k = 40;
  p.typical = 0.5f;
  p.top_n_sigma = 1;
  p.repeat_penalty = 100;
  p.dry_multiplier = 100;
  p.dry_base = 100;
  for (const float dynatemp_range : {0.0f, 0.5f}) {
    p.dynatemp_range = dynatemp_range;
    Sampler sampler(p, 2);
    for (int32_t i = 0; i < 60; ++i) sampler.accept(i % 2);
    EXPECT_EQ(sampler.next(std::vector<float>{0, -5.27e36f}), 0);
    EXPECT_EQ(sampler.candidates().size(), 1u);
    EXPECT_EQ(sampler.probabilities()[0], 1.0);
  }
}

// Dividing by a temperature below 1 overflows as well, and does not disturb the order that top_k left.
TEST(Sampler, TemperatureDropsWhatItPushesToMinusInfinity) {
  SamplingParams p;
  p.samplers = "top_k;temperature;top_n_sigma";
  p.temperature = 0.5f;
  p.top_k = 3;
  p.top_n_sigma = 1;
  Sampler sampler(p, 4);
  EXPECT_EQ(sampler.next(std::vector<float>{-3e38f, 0, -3.1e38f, -3.2e38f}), 1);
  EXPECT_EQ(sampler.candidates().size(), 1u);
}

// Any float pattern as logits, any allowed params: a token that was allowed, or BadLogits.
RC_GTEST_PROP(Sampler, AnyLogitsGiveATokenOrANamedError, ()) {
  const auto bits = *rc::gen::nonEmpty<std::vector<uint32_t>>();
  std::vector<float> logits;
  for (const uint32_t word : bits) logits.push_back(std::bit_cast<float>(word ^ (word << 9)));
  SamplingParams p;
  p.temperature = *rc::gen::element(0.0f, 1e-30f, 0.8f, 100.0f);
  p.dynatemp_range = *rc::gen::element(0.0f, 0.0f, 1.0f);
  p.top_k = *rc::gen::element(0, 40);
  p.typical = *rc::gen::element(1.0f, 0.5f);
  p.top_n_sigma = *rc::gen::element(-1.0f, 1.0f);
  p.xtc_probability = *rc::gen::element(0.0f, 0.5f);
  p.repeat_penalty = *rc::gen::element(1.0f, 0.01f, 100.0f);
  p.dry_multiplier = *rc::gen::element(0.0f, 100.0f);
  p.dry_base = 100;
  Sampler sampler(p, logits.size());
  for (size_t i = 0; i < 60; ++i) sampler.accept(int32_t(i % std::min<size_t>(3, logits.size())));
  try {
    const int32_t id = sampler.next(logits);
    RC_ASSERT(id >= 0);
    RC_ASSERT(size_t(id) < logits.size());
    RC_ASSERT(logits[size_t(id)] > -kInfinity);
  } catch (const BadLogits&) {
  }
}

TEST(Params, OutOfRangeIsRefusedByName) {
  const auto message = [](void (*change)(SamplingParams&)) -> std::string {
    SamplingParams p;
    change(p);
    try {
      Sampler sampler(p, 100);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "no error";
  };
  using P = SamplingParams;
  EXPECT_EQ(message([](P&) {}), "no error");
  EXPECT_EQ(message([](P& p) { p.top_p = 1.5f; }), "top_p is 1.5: must be from 0 to 1");
  EXPECT_EQ(message([](P& p) { p.temperature = kNan; }), "temperature is nan: must be from -100 to 100");
  EXPECT_EQ(message([](P& p) { p.min_p = -0.1f; }), "min_p is -0.1: must be from 0 to 1");
  EXPECT_EQ(message([](P& p) { p.repeat_penalty = 0; }), "repeat_penalty is 0: must be from 0.01 to 100");
  EXPECT_EQ(message([](P& p) { p.repeat_last_n = -2; }),
            "repeat_last_n is -2: must be from -1 to 2147483647");
  EXPECT_EQ(message([](P& p) {
              p.logit_bias = {{100, 1}};
            }),
            "logit_bias: token id 100 is outside the vocabulary of 100");
  EXPECT_EQ(message([](P& p) {
              p.logit_bias = {{9, kInfinity}};
            }),
            "logit_bias of token 9 must be a finite number or -infinity");
  EXPECT_EQ(message([](P& p) { p.dry_breakers = {-1}; }),
            "dry_breakers: token id -1 is outside the vocabulary of 100");
  EXPECT_EQ(message([](P& p) { p.samplers = "top_k;top-k"; }), "samplers: 'top_k' is named twice");
  EXPECT_THAT(message([](P& p) { p.samplers = "top_q"; }),
              testing::HasSubstr("no stage named 'top_q'; there are penalties, dry"));
}

TEST(Params, TheDefaultOrderIsThatOfTheTable) {
  std::string order;
  for (const Stage& stage : kStages) order.append(order.empty() ? "" : ";").append(stage.name);
  EXPECT_EQ(SamplingParams().samplers, order);
}

TEST(Params, LogitBiasText) {
  EXPECT_EQ(parse_logit_bias("15043+1.5").id, 15043);
  EXPECT_EQ(parse_logit_bias("15043+1.5").value, 1.5f);
  EXPECT_EQ(parse_logit_bias("0-2e-1").value, -0.2f);
  EXPECT_EQ(parse_logit_bias("7-inf").value, -kInfinity);
  for (const char* bad : {"", "7", "7+", "+1", "-7+1", "7+inf", "7+nan", "7 +1", "7+ 1", "7+1x", "7+-1",
                          "99999999999+1", "x+1", "7+1e99"})
    EXPECT_THROW(parse_logit_bias(bad), UsageError) << bad;
}

TEST(Sampler, AllocatesOnTheFirstTokenOnly) {
  SamplingParams p;  // every stage on
  p.dynatemp_range = 0.5f;
  p.typical = 0.9f;
  p.top_n_sigma = 3;
  p.xtc_probability = 0.5f;
  p.repeat_penalty = 1.1f;
  p.dry_multiplier = 0.8f;
  p.dry_penalty_last_n = 100;
  Sampler sampler(p, 1000);
  const std::vector<float> logits(1000, 1.0f);
  for (int32_t i = 0; i < 100; ++i) sampler.accept(i % 7);
  sampler.next(logits);
  const size_t before = n_allocations;
  for (int32_t i = 0; i < 50; ++i) {
    sampler.accept(i % 7);
    sampler.next(logits);
  }
  EXPECT_EQ(n_allocations, before);
}

TEST(Sampler, IsQuickOnALargeVocabulary) {
  std::vector<float> logits(150000);
  Rng rng(1);
  for (float& logit : logits) logit = float(rng.next_unit() * 20 - 10);
  SamplingParams p;
  p.repeat_penalty = 1.1f;
  Sampler sampler(p, logits.size());
  double best_ms = 1e9;
  for (int i = 0; i < 20; ++i) {
    const auto start = std::chrono::steady_clock::now();
    sampler.accept(sampler.next(logits));
    best_ms = std::min(
        best_ms, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::printf("150,000 logits: %.2f ms a token\n", best_ms);
  EXPECT_LT(best_ms,
            20);  // 0.3 is usual; sanitizers and slow machines pass, a full sort of each token does not
}

}  // namespace
}  // namespace assay
