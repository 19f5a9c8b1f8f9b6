#include "quant/encode/encode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "quant/codebooks.h"
#include "quant/encode/grid_search.h"
#include "quant/golden_test.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/mxfp4.h"
#include "quant/q1_0.h"
#include "quant/q2_0.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "quant/tq1_0.h"
#include "quant/tq2_0.h"

namespace assay {
namespace {

constexpr size_t kRows = 16, kCols = 512;  // of encoder_input.f32

std::vector<std::byte> encode(const QuantType& type, const std::vector<float>& x, size_t n_cols,
                              const EncodeRowsOptions& options = {}) {
  std::vector<std::byte> blocks(x.size() / type.block_elems * type.block_bytes);
  encode_rows(type, x.data(), x.size() / n_cols, n_cols, options, blocks.data());
  return blocks;
}

std::vector<float> decode(const QuantType& type, const std::vector<std::byte>& blocks) {
  const size_t n_blocks = blocks.size() / type.block_bytes;
  std::vector<float> w(n_blocks * type.block_elems);
  type.dequantize(blocks.data(), n_blocks, w.data());
  return w;
}

double squared_error(const float* a, const float* b, size_t n, const float* importance = nullptr) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) {
    const double difference = double(a[i]) - double(b[i]);
    sum += (importance ? double(importance[i]) : 1.0) * difference * difference;
  }
  return sum;
}

double squared_norm(const float* a, size_t n) {
  const std::vector<float> zeros(n);
  return squared_error(a, zeros.data(), n);
}

// Relative RMS error of every kind of row, at the default effort, against what the reference's encoder left
// there.
TEST(Encode, ErrsNoMoreThanTheReferenceOnEveryKindOfRow) {
  const auto manifest = nlohmann::json::parse(read_golden<char>("manifest.json"));
  const auto x = read_golden<float>("encoder_input.f32");
  ASSERT_EQ(x.size(), kRows * kCols);
  for (const QuantType& type : quant_types()) {
    if (type.name == "F32") continue;
    SCOPED_TRACE(type.name);
    const auto& entry = manifest.at("types").at(std::string(type.name));
    const auto reference = decode(type, read_golden<std::byte>(std::string(type.name) + ".encoded.blocks"));
    for (const Effort effort : {Effort::normal, Effort::max}) {
      const auto w = decode(type, encode(type, x, kCols, {{}, effort}));
      double plain_error = 0, plain_norm = 0;
      for (size_t row = 0; row < kRows; ++row) {
        const size_t at = row * kCols;
        const double error = squared_error(&w[at], &x[at], kCols);
        EXPECT_LE(error, squared_error(&reference[at], &x[at], kCols) * (1 + 1e-6)) << "row " << row;
        if (row >= 10) continue;
        plain_error += error;
        plain_norm += squared_norm(&x[at], kCols);
      }
      EXPECT_LE(std::sqrt(plain_error / plain_norm),
                entry.at("rel_rms_plain_rows").get<double>() * (1 + 1e-6));
    }
  }
}

TEST(Encode, SearchesLongerForLessError) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> x(64 * 256);
  for (float& v : x) v = normal(random) * (random() % 100 == 0 ? 8.0f : 1.0f);
  for (const QuantType& type : quant_types()) {
    double before = std::numeric_limits<double>::infinity();
    for (const Effort effort : {Effort::fast, Effort::normal, Effort::max}) {
      const auto w = decode(type, encode(type, x, 256, {{}, effort}));
      const double error = squared_error(w.data(), x.data(), x.size());
      // A search is a guess at which start is best; over many blocks a longer one may be unlucky by a little.
      EXPECT_LE(error, before * 1.001) << type.name << " effort " << int(effort);
      before = error;
    }
  }
}

TEST(Encode, FollowsTheImportance) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> x(32 * 256), importance(256), all(x.size());
  for (float& v : x) v = normal(random);
  for (float& v : importance) v = std::exp(2 * normal(random)) * 1e-20f;  // no unit is privileged
  for (size_t i = 0; i < all.size(); ++i) all[i] = importance[i % 256] * 1e20f;
  for (const QuantType& type : quant_types()) {
    if (type.block_elems == 1) continue;
    const auto plain = decode(type, encode(type, x, 256));
    const auto weighted = decode(type, encode(type, x, 256, {importance, Effort::normal}));
    const double plain_error = squared_error(plain.data(), x.data(), x.size(), all.data());
    EXPECT_LT(squared_error(weighted.data(), x.data(), x.size(), all.data()), plain_error) << type.name;
  }
}

// Types of one scale a block lose nothing that they can hold: what a block decodes to is encoded as itself.
TEST(Encode, ExactBlocksStayExact) {
  const auto x = read_golden<float>("encoder_input.f32");
  for (const char* name : {"F32", "F16", "BF16", "Q4_0", "Q5_0", "Q8_0", "IQ4_NL", "Q1_0", "Q2_0", "TQ1_0",
                           "TQ2_0", "MXFP4", "NVFP4"}) {
    const QuantType& type = *find_quant_type(name);
    const auto once = decode(type, encode(type, x, kCols));
    const auto twice = decode(type, encode(type, once, kCols));
    for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(once[i], twice[i]) << name << " " << i;
  }
}

TEST(Encode, FloatsRoundToNearestAndSaturate) {
  const std::vector<float> x = {
      1.0f, -0.0f, 65520.0f, -1e30f, 0x1p-24f, 0x1.8p-25f, std::numeric_limits<float>::max()};
  const auto half = decode(*find_quant_type("F16"), encode(*find_quant_type("F16"), x, x.size()));
  EXPECT_EQ(half, (std::vector<float>{1.0f, -0.0f, 65504.0f, -65504.0f, 0x1p-24f, 0x1p-24f, 65504.0f}));
  const auto bf16 = decode(*find_quant_type("BF16"), encode(*find_quant_type("BF16"), x, x.size()));
  EXPECT_EQ(bf16.back(), 0x1.fep127f);
  EXPECT_EQ(decode(*find_quant_type("F32"), encode(*find_quant_type("F32"), x, x.size())), x);
}

struct HostileRow {
  const char* name;
  std::vector<float> values;
};

std::vector<HostileRow> hostile_rows() {
  constexpr size_t n = 256;
  constexpr float kMax = std::numeric_limits<float>::max(), kTiny = std::numeric_limits<float>::denorm_min();
  std::vector<HostileRow> rows;
  auto add = [&](const char* name, auto value) {
    HostileRow row{name, std::vector<float>(n)};
    for (size_t i = 0; i < n; ++i) row.values[i] = value(i);
    rows.push_back(std::move(row));
  };
  add("zeros", [](size_t) { return 0.0f; });
  add("negative zeros", [](size_t) { return -0.0f; });
  add("one value", [](size_t) { return 0.37f; });
  add("one negative value", [](size_t) { return -0.37f; });
  add("one outlier", [](size_t i) { return i == 77 ? 1000.0f : 0.01f * float(int(i % 7) - 3); });
  add("one outlier in zeros", [](size_t i) { return i == 77 ? -3.0f : 0.0f; });
  add("subnormal floats", [](size_t i) { return kTiny * float(int(i % 9) - 4); });
  add("subnormal halves", [](size_t i) { return 0x1p-24f * float(int(i % 9) - 4); });
  add("below every half", [](size_t i) { return 0x1p-40f * float(int(i % 9) - 4); });
  add("largest floats", [](size_t i) { return i % 2 ? kMax : -kMax; });
  add("largest float among ordinary", [](size_t i) { return i == 3 ? kMax : float(i); });
  add("beyond half's range", [](size_t i) { return 1e6f * float(int(i % 9) - 4); });
  add("every scale at once", [](size_t i) { return std::ldexp(i % 2 ? 1.0f : -1.0f, int(i) - 140); });
  add("steps", [](size_t i) { return std::floor(float(i) / 32); });
  return rows;
}

TEST(Encode, HostileRowsGiveFiniteWeights) {
  for (const QuantType& type : quant_types())
    for (const HostileRow& row : hostile_rows())
      for (const Effort effort : {Effort::fast, Effort::normal, Effort::max}) {
        const auto w = decode(type, encode(type, row.values, 256, {{}, effort}));
        for (size_t i = 0; i < w.size(); ++i)
          ASSERT_TRUE(std::isfinite(w[i])) << type.name << ", " << row.name << ", weight " << i;
        // All types can say zero: no answer may be worse. (Sums in f32 inside the encoder: 1e-5 of slack.)
        ASSERT_LE(squared_error(w.data(), row.values.data(), 256),
                  squared_norm(row.values.data(), 256) * (1 + 1e-5))
            << type.name << ", " << row.name;
      }
}

TEST(Encode, ZerosStayZero) {
  for (const QuantType& type : quant_types())
    for (const float w : decode(type, encode(type, std::vector<float>(512), 512)))
      ASSERT_EQ(w, 0.0f) << type.name;
}

TEST(Encode, RefusesNanAndInfinityByPosition) {
  for (const QuantType& type : quant_types())
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF, -HUGE_VALF}) {
      std::vector<float> x(3 * 512, 0.5f);
      x[512 + 300] = bad;
      x[2 * 512] = bad;
      try {
        encode(type, x, 512);
        ADD_FAILURE() << type.name << " took " << bad;
      } catch (const NotFinite& error) {
        EXPECT_EQ(error.row, 1u);
        EXPECT_EQ(error.col, 300u);
        EXPECT_NE(std::string(error.what()).find("row 1, column 300"), std::string::npos) << error.what();
      }
    }
}

TEST(Encode, RefusesWrongShapesAndImportance) {
  const QuantType& type = *find_quant_type("Q4_K");
  const std::vector<float> x(512, 1.0f);
  EXPECT_THROW(encode(type, x, 128), UsageError);
  std::vector<float> importance(511, 1.0f);
  EXPECT_THROW(encode(type, x, 512, {importance, Effort::fast}), UsageError);
  importance.resize(512, 1.0f);
  EXPECT_NO_THROW(encode(type, x, 512, {importance, Effort::fast}));
  for (const float bad : {-1.0f, HUGE_VALF, std::numeric_limits<float>::quiet_NaN()}) {
    importance[5] = bad;
    EXPECT_THROW(encode(type, x, 512, {importance, Effort::fast}), UsageError) << bad;
  }
}

TEST(Encode, UnimportantBlocksAndColumnsAreEncodedToo) {
  const auto x = read_golden<float>("encoder_input.f32");
  std::vector<float> importance(kCols, 0.0f);
  for (const QuantType& type : quant_types()) {
    const auto w = decode(type, encode(type, x, kCols, {importance, Effort::normal}));
    EXPECT_EQ(w, decode(type, encode(type, x, kCols))) << type.name;  // all unimportant: all equal
  }
  importance[1] = std::numeric_limits<float>::max();
  importance[2] = std::numeric_limits<float>::denorm_min();
  for (const QuantType& type : quant_types())
    for (const float w : decode(type, encode(type, x, kCols, {importance, Effort::max})))
      ASSERT_TRUE(std::isfinite(w)) << type.name;
}

TEST(Encode, ThreadsDoNotMeet) {
  const auto x = read_golden<float>("encoder_input.f32");
  for (const QuantType& type : quant_types()) {
    const auto alone = encode(type, x, kCols, {{}, Effort::fast});
    std::vector<std::byte> together(alone.size());
    const size_t row_bytes = alone.size() / kRows;
    std::vector<std::thread> threads;
    for (size_t row = 0; row < kRows; ++row)
      threads.emplace_back([&, row] {
        encode_rows(type, x.data() + row * kCols, 1, kCols, {{}, Effort::fast},
                    together.data() + row * row_bytes);
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(alone, together) << type.name;
  }
}

// The pruned search against a look at every entry.
template <size_t n_dims, size_t n_levels, class Entry, size_t n_entries>
void expect_nearest_entries(const std::array<Entry, n_entries>& grid,
                            const std::array<int8_t, n_levels>& levels) {
  const GridSearch<n_dims, n_levels> search(grid, levels);
  std::mt19937 random(n_entries);
  std::uniform_real_distribution<float> value(1.5f * float(std::min<int8_t>(levels.front(), 0)),
                                              1.5f * levels.back());
  std::exponential_distribution<float> importance(1);
  for (int round = 0; round < 500; ++round) {
    typename GridSearch<n_dims, n_levels>::Costs cost;
    for (size_t j = 0; j < n_dims; ++j) {
      const float x = value(random), w = importance(random);
      for (size_t k = 0; k < n_levels; ++k) cost[k][j] = w * (x - float(levels[k])) * (x - float(levels[k]));
    }
    auto total = [&](size_t entry) {
      double sum = 0;
      for (size_t j = 0; j < n_dims; ++j) {
        const auto level =
            std::find(levels.begin(), levels.end(), grid_value(grid[entry], j)) - levels.begin();
        sum += double(cost[size_t(level)][j]);
      }
      return sum;
    };
    double least = total(0);
    for (size_t k = 1; k < n_entries; ++k) least = std::min(least, total(k));
    ASSERT_LE(total(search.nearest(cost)), least * (1 + 1e-5)) << n_entries;  // the search adds in f32
  }
}

TEST(GridSearch, FindsTheNearestEntryOfEveryGrid) {
  const std::array<int8_t, 3> iq2 = {8, 25, 43}, iq1 = {-1, 0, 1};
  const std::array<int8_t, 8> iq3xxs = {4, 12, 20, 28, 36, 44, 52, 62}, iq3s = {1, 3, 5, 7, 9, 11, 13, 15};
  expect_nearest_entries<8>(kIq2xxsGrid, iq2);
  expect_nearest_entries<8>(kIq2xsGrid, iq2);
  expect_nearest_entries<8>(kIq2sGrid, iq2);
  expect_nearest_entries<8>(kIq1sGrid, iq1);
  expect_nearest_entries<4>(kIq3xxsGrid, iq3xxs);
  expect_nearest_entries<4>(kIq3sGrid, iq3s);
}

// pack() against integers(): blocks of random bytes, rewritten from their integers, decode to the same
// weights.
template <class Block>
void expect_pack_inverts_integers(const QuantType& type, const std::vector<std::byte>& blocks) {
  for (size_t at = 0; at < blocks.size(); at += sizeof(Block)) {
    IntegerBlock before, after;
    type.integers(&blocks[at], before);
    Block packed;
    packed.pack(before);
    packed.integers(after);
    ASSERT_EQ(before.d, after.d) << type.name;
    ASSERT_EQ(before.dmin, after.dmin) << type.name;
    for (size_t s = 0; s < size_t(type.block_elems / type.sub_elems); ++s) {
      ASSERT_EQ(before.scale[s], after.scale[s]) << type.name << " " << s;
      ASSERT_EQ(before.min[s], after.min[s]) << type.name << " " << s;
    }
    for (size_t i = 0; i < type.block_elems; ++i) ASSERT_EQ(before.q[i], after.q[i]) << type.name << " " << i;
  }
}

template <class... Blocks>
void expect_all_pack() {
  (expect_pack_inverts_integers<Blocks>(
       *find_quant_type(Blocks::facts.id),
       read_golden<std::byte>(std::string(Blocks::facts.name) + ".raw.blocks")),
   ...);
}

TEST(Pack, InvertsIntegers) {
  expect_all_pack<BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, BlockQ1_0, BlockQ2_0, BlockIQ4_NL,
                  BlockMXFP4, BlockTQ1_0, BlockTQ2_0, BlockQ2_K, BlockQ3_K, BlockQ4_K, BlockQ5_K, BlockQ6_K,
                  BlockIQ4_XS>();
}

}  // namespace
}  // namespace assay
