#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "sampling/sampler.h"

namespace assay {
namespace {

/// Everything off: each test switches on what it looks at.
SamplingParams all_off() {
  SamplingParams p;
  p.temperature = 1;
  p.top_k = 0;
  p.top_p = 1;
  p.min_p = 0;
  return p;
}

std::map<int32_t, double> distribution(const Sampler& sampler) {
  std::map<int32_t, double> result;
  for (size_t i = 0; i < sampler.candidates().size(); ++i)
    result[sampler.candidates()[i].id] = sampler.probabilities()[i];
  return result;
}

std::vector<float> random_logits(size_t n, double spread, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> logits(n);
  for (float& logit : logits) {
    double sum = -6;  // Irwin and Hall's approximation of a normal distribution
    for (int k = 0; k < 12; ++k) sum += rng.next_unit();
    logit = float(sum * spread);
  }
  return logits;
}

// A plain model of the stages: a sorted list of (id, probability), every formula as its paper states it, in
// f64 with the C library.
struct Token {
  int32_t id;
  double logit, p;
};

std::vector<Token> ranked(const std::vector<float>& logits) {
  std::vector<Token> tokens;
  double best = -INFINITY, sum = 0;
  for (const float logit : logits) best = std::max(best, double(logit));
  for (const float logit : logits) sum += std::exp(double(logit) - best);
  for (size_t id = 0; id < logits.size(); ++id)
    tokens.push_back({int32_t(id), double(logits[id]), std::exp(double(logits[id]) - best) / sum});
  std::stable_sort(tokens.begin(), tokens.end(),
                   [](const Token& a, const Token& b) { return a.logit > b.logit; });
  return tokens;
}

double entropy(const std::vector<Token>& tokens) {
  double sum = 0;
  for (const Token& t : tokens) sum -= t.p > 0 ? t.p * std::log(t.p) : 0;
  return sum;
}

struct OracleCase {
  const char* stage;
  void (*set)(SamplingParams&, double);
  std::vector<double> values;
  std::vector<Token> (*keep)(std::vector<Token>, double);
};

std::vector<Token> keep_top_k(std::vector<Token> tokens, double k) {
  if (size_t(k) < tokens.size()) tokens.resize(size_t(k));
  return tokens;
}
std::vector<Token> keep_top_p(std::vector<Token> tokens, double mass) {
  double sum = 0;
  for (size_t i = 0; i < tokens.size(); ++i)
    if ((sum += tokens[i].p) >= mass) return {tokens.begin(), tokens.begin() + ptrdiff_t(i) + 1};
  return tokens;
}
std::vector<Token> keep_min_p(std::vector<Token> tokens, double share) {
  const double best = tokens.front().p;
  std::erase_if(tokens, [&](const Token& t) { return t.p < share * best; });
  return tokens;
}
std::vector<Token> keep_typical(std::vector<Token> tokens, double mass) {
  const double h = entropy(tokens);
  std::stable_sort(tokens.begin(), tokens.end(), [&](const Token& a, const Token& b) {
    return std::abs(-std::log(a.p) - h) < std::abs(-std::log(b.p) - h);
  });
  double sum = 0;
  for (size_t i = 0; i < tokens.size(); ++i)
    if ((sum += tokens[i].p) > mass) return {tokens.begin(), tokens.begin() + ptrdiff_t(i) + 1};
  return tokens;
}
std::vector<Token> keep_n_sigma(std::vector<Token> tokens, double n) {
  double mean = 0, variance = 0;
  for (const Token& t : tokens) mean += t.logit;
  mean /= double(tokens.size());
  for (const Token& t : tokens) variance += (t.logit - mean) * (t.logit - mean);
  const double sigma = std::sqrt(variance / double(tokens.size())), best = tokens.front().logit;
  std::erase_if(tokens, [&](const Token& t) { return t.logit < best - n * sigma; });
  return tokens;
}
std::vector<Token> keep_xtc(std::vector<Token> tokens, double threshold) {
  size_t n_top = 0;
  while (n_top < tokens.size() && tokens[n_top].p >= threshold) ++n_top;
  if (n_top > 1) tokens.erase(tokens.begin(), tokens.begin() + ptrdiff_t(n_top) - 1);
  return tokens;
}

const OracleCase kOracles[] = {
    {"top_k",
     [](SamplingParams& p, double v) { p.top_k = int32_t(v); },
     {1, 2, 40, 64, 65, 1000},
     keep_top_k},
    {"top_p",
     [](SamplingParams& p, double v) { p.top_p = float(v); },
     {0, 0.01, 0.5, 0.95, 0.9999},
     keep_top_p},
    {"min_p", [](SamplingParams& p, double v) { p.min_p = float(v); }, {0.001, 0.05, 0.5}, keep_min_p},
    {"typ_p",
     [](SamplingParams& p, double v) { p.typical = float(v); },
     {0.05, 0.2, 0.9, 0.999},
     keep_typical},
    {"top_n_sigma",
     [](SamplingParams& p, double v) { p.top_n_sigma = float(v); },
     {0.3, 1, 2, 50},
     keep_n_sigma},
    {"xtc",
     [](SamplingParams& p, double v) {
       p.xtc_probability = 1;
       p.xtc_threshold = float(v);
     },
     {0.001, 0.02, 0.1, 0.5},
     keep_xtc},
};

TEST(Stages, KeepWhatAPlainSortedModelKeeps) {
  for (const OracleCase& oracle : kOracles)
    for (const double raw_value : oracle.values)
      for (const size_t n : {1u, 2u, 63u, 500u, 5000u})
        for (const double spread : {0.05, 1.0, 4.0}) {
          const double value = double(float(raw_value));
          SCOPED_TRACE(testing::Message()
                       << oracle.stage << " " << value << " of " << n << " spread " << spread);
          SamplingParams params = all_off();
          oracle.set(params, value);
          params.samplers = oracle.stage;
          const std::vector<float> logits = random_logits(n, spread, n + uint64_t(spread * 100));
          Sampler sampler(params, n);
          const int32_t chosen = sampler.next(logits);
          const std::vector<Token> kept = oracle.keep(ranked(logits), value);
          double mass = 0;
          for (const Token& t : kept) mass += t.p;
          const auto result = distribution(sampler);
          ASSERT_EQ(result.size(), kept.size());
          EXPECT_TRUE(result.count(chosen));
          for (const Token& t : kept) {
            ASSERT_TRUE(result.count(t.id)) << t.id;
            EXPECT_NEAR(result.at(t.id), t.p / mass, 1e-12);
          }
        }
}

// What llama.cpp's own stages leave of the same logits: tests/parity/sampler_golden.py made the file.
TEST(Stages, LeaveWhatLlamaCppLeaves) {
  std::ifstream file(ASSAY_SOURCE_DIR "/tests/golden/sampling/chains.json");
  ASSERT_TRUE(file) << "tests/golden/sampling/chains.json is missing";
  const auto golden = nlohmann::json::parse(file);
  for (const auto& test : golden["cases"]) {
    auto given = golden["defaults"];
    given.update(test["params"]);
    SCOPED_TRACE(test["logits"].get<std::string>() + test["params"].dump());
    SamplingParams p;
    p.temperature = given["temperature"];
    p.dynatemp_range = given["dynatemp_range"];
    p.dynatemp_exponent = given["dynatemp_exponent"];
    p.top_k = given["top_k"];
    p.top_p = given["top_p"];
    p.min_p = given["min_p"];
    p.typical = given["typical"];
    p.top_n_sigma = given["top_n_sigma"];
    p.xtc_probability = given["xtc_probability"];
    p.xtc_threshold = given["xtc_threshold"];
    p.repeat_last_n = given["repeat_last_n"];
    p.repeat_penalty = given["repeat_penalty"];
    p.presence_penalty = given["presence_penalty"];
    p.frequency_penalty = given["frequency_penalty"];
    p.dry_multiplier = given["dry_multiplier"];
    p.dry_base = given["dry_base"];
    p.dry_allowed_length = given["dry_allowed_length"];
    p.dry_penalty_last_n = given["dry_penalty_last_n"];
    p.samplers = test["samplers"];
    const auto logits = golden["logits"][test["logits"].get<std::string>()].get<std::vector<float>>();
    Sampler sampler(p, logits.size());
    for (const int32_t id : golden["history"]) sampler.accept(id);
    sampler.next(logits);
    std::map<int32_t, float> left;
    for (const Candidate& c : sampler.candidates()) left[c.id] = c.logit;
    ASSERT_EQ(left.size(), test["left"].size());
    for (const auto& entry : test["left"]) {
      ASSERT_TRUE(left.count(entry[0])) << entry[0];
      // f32 there, f64 in parts here: the entropy of a dynamic temperature sums 40 f32 terms there.
      EXPECT_NEAR(left.at(entry[0]), entry[1].get<float>(),
                  4e-6f * std::max(1.0f, std::abs(entry[1].get<float>())));
    }
  }
}

RC_GTEST_PROP(Stages, TruncationKeepsTheFrontOfTheRanking, ()) {
  const auto steps = *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(-40, 40)));
  std::vector<float> logits;  // many ties
  for (const int step : steps) logits.push_back(float(step) * 0.25f);
  SamplingParams p = all_off();
  p.top_k = *rc::gen::inRange(-1, 50);
  p.top_p = float(*rc::gen::inRange(0, 1001)) / 1000;
  p.min_p = float(*rc::gen::inRange(0, 1001)) / 1000;
  p.top_n_sigma = float(*rc::gen::inRange(-10, 30)) / 10;
  Sampler sampler(p, logits.size());
  const int32_t chosen = sampler.next(logits);
  const auto kept = distribution(sampler);
  const auto order = ranked(logits);
  double sum = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    RC_ASSERT(kept.count(order[i].id) == 1u);
    sum += kept.at(order[i].id);
  }
  RC_ASSERT(std::abs(sum - 1) < 1e-12);
  RC_ASSERT(kept.count(chosen) == 1u);
}

// A separator (27) rules repetitions: nothing before it may be matched. Worked by hand.
TEST(Stages, DryStopsAtBreakers) {
  SamplingParams p = all_off();
  p.dry_multiplier = 0.5f;
  p.dry_base = 2.0f;
  p.dry_allowed_length = 2;
  const std::vector<int32_t> text{1, 2, 3, 4, 27, 9, 1, 2, 3};
  for (const bool with_breaker : {false, true}) {
    p.dry_breakers = with_breaker ? std::vector<int32_t>{2} : std::vector<int32_t>{27};
    Sampler sampler(p, 30);
    for (const int32_t id : text) sampler.accept(id);
    sampler.next(std::vector<float>(30, 1.0f));
    for (const Candidate& c : sampler.candidates())  // 1 2 3 repeats, and 4 followed it: 0.5 * 2 ^ (3 - 2)
      EXPECT_EQ(c.logit, c.id == 4 && !with_breaker ? 0.0f : 1.0f) << c.id;
  }
}

TEST(Stages, PenaltiesWorkedByHand) {
  SamplingParams p = all_off();
  p.repeat_penalty = 2.0f;
  p.presence_penalty = 0.25f;
  p.frequency_penalty = 0.5f;
  p.repeat_last_n = 3;
  Sampler sampler(p, 5);
  for (const int32_t id : {4, 0, 1, 1}) sampler.accept(id);  // 4 is too long ago
  sampler.next(std::vector<float>{3, -1, 2, 0, 8});
  const std::map<int32_t, float> expected{{0, 0.75f},   // 3 / 2 - 1 * 0.5 - 0.25
                                          {1, -3.25f},  // -1 * 2 - 2 * 0.5 - 0.25
                                          {2, 2},
                                          {3, 0},
                                          {4, 8}};
  for (const Candidate& c : sampler.candidates()) EXPECT_EQ(c.logit, expected.at(c.id)) << c.id;
}

TEST(Stages, XtcIsAsFrequentAsAsked) {
  SamplingParams p = all_off();
  p.xtc_probability = 0.3f;
  p.samplers = "xtc";
  p.seed = 5;
  Sampler sampler(p, 3);
  const std::vector<float> logits{2, 2, 0};
  int n_excluded = 0;
  for (int i = 0; i < 10000; ++i) {
    sampler.next(logits);
    n_excluded += sampler.candidates().size() == 2;
  }
  EXPECT_NEAR(n_excluded, 3000, 230);  // 5 standard deviations
}

TEST(Stages, TheirOrderIsTheUsers) {
  SamplingParams p = all_off();
  p.temperature = 4;
  p.min_p = 0.5f;
  const std::vector<float> logits{
      3, 2, 1, 0};  // beside the best: 1, 0.37, 0.14, 0.05; at temperature 4: 1, 0.78, 0.61, 0.47
  const std::pair<const char*, size_t> orders[] = {
      {"min_p;temperature", 1}, {"temperature; min-p", 3}, {"temperature", 4}, {"", 4}};
  for (const auto& order : orders) {
    p.samplers = order.first;
    Sampler sampler(p, logits.size());
    sampler.next(logits);
    EXPECT_EQ(sampler.candidates().size(), order.second) << order.first;
  }
}

}  // namespace
}  // namespace assay
