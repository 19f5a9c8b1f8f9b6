// cpu == twin, bit for bit: every instruction set that runs here x every type x shapes x token counts x
// thread counts.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "base/half.h"
#include "base/load_error.h"
#include "cpu/ops_cpu.h"
#include "twin/ops_twin.h"

namespace assay {
namespace {

using cpu::KernelSet;

/// Says once what runs, and what cannot.
const std::vector<const KernelSet*>& sets_that_run() {
  static const std::vector<const KernelSet*> sets = [] {
    std::vector<const KernelSet*> found;
    for (const KernelSet* set : cpu::kernel_sets())
      if (cpu::runs_here(*set)) {
        found.push_back(set);
        std::cout << "[ KERNELS  ] " << set->name << "\n";
      } else {
        std::cout << "[ SKIPPED  ] " << set->name << ": this processor lacks the instructions\n";
      }
    return found;
  }();
  return sets;
}

/// Random bytes whose blocks decode to finite, ordinary numbers.
std::vector<std::byte> random_blocks(const QuantType& type, size_t n_blocks, std::mt19937& rng) {
  std::vector<std::byte> bytes(n_blocks * type.block_bytes);
  std::vector<float> w(type.block_elems);
  for (size_t b = 0; b < n_blocks; ++b) {
    std::byte* const block = bytes.data() + b * type.block_bytes;
    do {
      for (size_t i = 0; i < type.block_bytes; ++i) block[i] = std::byte(rng());
      type.dequantize(block, 1, w.data());
    } while (!std::ranges::all_of(w, [](float x) { return std::abs(x) < 1e6f; }));
  }
  return bytes;
}

std::vector<double> random_values(size_t n, std::mt19937& rng) {
  std::normal_distribution<double> normal;
  std::vector<double> x(n);
  for (double& v : x) v = float(normal(rng)) * (rng() % 50 == 0 ? 20 : 1);
  return x;
}

testing::AssertionResult same_bits(std::span<const float> a, std::span<const float> b) {
  for (size_t i = 0; i < a.size(); ++i) {
    const bool both_nan = std::isnan(a[i]) && std::isnan(b[i]);
    if (!both_nan && std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i]))
      return testing::AssertionFailure()
             << "value " << i << " of " << a.size() << ": " << a[i] << " against " << b[i];
  }
  return testing::AssertionSuccess();
}

struct Case {
  const QuantType* type;
  size_t n_rows, n_cols, n_tokens;
};

/// Result of one linear() with bias and scale by `ops`, which is loaded first when `packed`.
std::vector<float> product(Ops& ops, const Linear& linear, size_t n_tokens, const std::vector<double>& x,
                           bool packed) {
  if (packed) {
    const Weight* weights[] = {linear.weight};
    ops.load(weights, {});
  }
  const Tensor in = ops.allocate(n_tokens, linear.weight->n_cols),
               out = ops.allocate(n_tokens, linear.weight->n_rows);
  ops.write(in, x.data());
  const Product products[] = {{{"test"}, out, &linear}};
  ops.linear(products, in);
  std::vector<float> y(n_tokens * linear.weight->n_rows);
  ops.read(out, y.data());
  return y;
}

class LinearOf : public testing::TestWithParam<const QuantType*> {};

TEST_P(LinearOf, EveryKernelSetEqualsTwin) {
  const QuantType& type = *GetParam();
  std::mt19937 rng(type.id + 1);
  ThreadPool one(1), two(2);
  const size_t unit = type.block_elems == 1                   ? 33  // of float types any length is a row's
                      : type.activations == Activations::q8_k ? 256
                                                              : std::max<size_t>(type.block_elems, 32);
  for (const size_t n_units : {1, 2, 3, 5})
    for (const auto& [n_rows, n_tokens] : std::initializer_list<std::pair<size_t, size_t>>{{1, 1},
                                                                                           {7, 2},
                                                                                           {16, 3},
                                                                                           {17, 4},
                                                                                           {33, 5},
                                                                                           {64, 1},
                                                                                           {81, 6},
                                                                                           {5, 7},
                                                                                           {48, 8},
                                                                                           {20, 9},
                                                                                           {35, 33},
                                                                                           {51, 257}}) {
      if (n_tokens > 9 && n_units != 2) continue;  // one length is enough for the large batches
      const size_t n_cols = n_units * unit;
      const std::vector<std::byte> bytes = random_blocks(type, n_rows * n_cols / type.block_elems, rng);
      const Weight weight{"w", &type, n_rows, n_cols, 1, bytes, 0};
      Linear linear{&weight, {}, {}};
      if (n_units % 2 == 1) {
        for (size_t r = 0; r < n_rows; ++r) linear.bias.push_back(float(r) * 0.37f);
        linear.scale = {0.7f};
      }
      std::vector<double> x = random_values(n_tokens * n_cols, rng);
      if (n_units == 3) std::fill_n(x.begin(), unit, 0.0);     // a block of zeros
      if (n_units == 5) x[0] = -(x[1] = 300);                  // both signs reach the largest magnitude
      if (n_units == 5 && n_tokens == 2) x[3] = std::nan("");  // a fault must travel on
      const std::unique_ptr<Ops> twin = make_twin_ops(two);
      const std::vector<float> expected = product(*twin, linear, n_tokens, x, false);
      for (const KernelSet* set : sets_that_run())
        for (const bool packed : {true, false})
          for (ThreadPool* pool : {&one, &two})
            for (const cpu::Prefetch prefetch : {cpu::Prefetch::steady, cpu::Prefetch::bursts}) {
              if (n_tokens > 1 && prefetch != cpu::Prefetch::steady) continue;  // the same code
              SCOPED_TRACE(testing::Message() << set->name << " " << n_rows << "x" << n_cols << " tokens "
                                              << n_tokens << " packed " << packed << " threads "
                                              << pool->n_threads() << " prefetch " << int(prefetch));
              const std::unique_ptr<Ops> ops = make_cpu_ops(*pool, {set, {}, prefetch});
              ASSERT_TRUE(same_bits(product(*ops, linear, n_tokens, x, packed), expected));
            }
    }
}

TEST(Load, TakesWhatReadGivesAndPassesOnItsErrors) {
  std::mt19937 rng(6);
  ThreadPool pool(2);
  const QuantType& type = *find_quant_type("Q4_K");
  const std::vector<std::byte> bytes = random_blocks(type, size_t(2000) * 2, rng);
  const Weight weight{"w", &type, 2000, 512, 1, bytes, 0};
  const Linear linear{&weight, {}, {}};
  const std::vector<double> x = random_values(2 * weight.n_cols, rng);
  const std::vector<float> expected = product(*make_cpu_ops(pool), linear, 2, x, false);
  const auto read = [&](const Weight& w, uint64_t at, std::span<std::byte> out) {
    std::ranges::copy(w.bytes.subspan(at, out.size()), out.begin());
  };
  EXPECT_TRUE(same_bits(product(*make_cpu_ops(pool, {nullptr, read}), linear, 2, x, true), expected));
  const auto truncated = [&](const Weight& w, uint64_t at, std::span<std::byte> out) {
    if (at > w.bytes.size() / 2) throw Truncated({"file", "w", at}, "the file ends here");
    read(w, at, out);
  };
  EXPECT_THROW(product(*make_cpu_ops(pool, {nullptr, truncated}), linear, 2, x, true), Truncated);
}

TEST(Bf16Dot, EqualsItsTwin) {
  const KernelSet* const set = cpu::bf16_kernel_set();
  if (!set) GTEST_SKIP() << "this processor has no BF16 dot as docs/arithmetic.md specifies it";
  std::mt19937 rng(4);
  ThreadPool one(1), two(2);
  const QuantType& type = *find_quant_type("BF16");
  for (const int spread :
       {4, 30, 120})  // 120: subnormals, products that leave the range, sums at the edge of 2^-126
    for (const auto& [n_rows, n_cols, n_tokens] :
         std::initializer_list<std::array<size_t, 3>>{{16, 2, 1},
                                                      {1, 1, 3},
                                                      {65, 31, 2},
                                                      {80, 64, 9},
                                                      {129, 77, 33},
                                                      {16, 1025, 5},
                                                      {20, 300, 130},
                                                      {70, 514, 1}}) {
      const auto value = [&] {
        const double x =
            std::ldexp(1 + double(rng() % 4096) / 4096, int(rng() % (2 * unsigned(spread))) - spread);
        return rng() % 2 ? x : -x;
      };
      std::vector<std::byte> bytes(2 * n_rows * n_cols);
      for (size_t i = 0; i < bytes.size(); i += 2) {
        const uint16_t bits = rng() % 64 == 0 ? uint16_t(rng() & 0x80ff) : float_to_bf16(float(value()));
        std::memcpy(&bytes[i], &bits, 2);
      }
      std::vector<double> x(n_tokens * n_cols);
      for (double& v : x) v = rng() % 64 == 0 ? std::ldexp(value(), -126) : value();
      const Weight weight{"w", &type, n_rows, n_cols, 1, bytes, 0};
      const Linear linear{&weight, std::vector<float>(n_rows, 0.25f), {}};
      const std::vector<float> expected = product(*make_bf16_twin_ops(two), linear, n_tokens, x, false);
      for (ThreadPool* pool : {&one, &two}) {
        SCOPED_TRACE(testing::Message() << n_rows << "x" << n_cols << " tokens " << n_tokens << " spread "
                                        << spread << " threads " << pool->n_threads());
        ASSERT_TRUE(same_bits(product(*make_cpu_ops(*pool, {set, {}}), linear, n_tokens, x, true), expected));
      }
    }
}

std::vector<const QuantType*> all_types() {
  std::vector<const QuantType*> types;
  for (const QuantType& t : quant_types()) types.push_back(&t);
  return types;
}
INSTANTIATE_TEST_SUITE_P(Types, LinearOf, testing::ValuesIn(all_types()),
                         [](const auto& info) { return std::string(info.param->name); });

/// Runs `step` on twin and on every set, and compares what it returns.
template <class Step>
void expect_all_equal(const Step& step) {
  ThreadPool one(1), two(2);
  const std::unique_ptr<Ops> twin = make_twin_ops(one);
  const std::vector<float> expected = step(*twin);
  for (const KernelSet* set : sets_that_run())
    for (ThreadPool* pool : {&one, &two}) {
      SCOPED_TRACE(testing::Message() << set->name << " threads " << pool->n_threads());
      const std::unique_ptr<Ops> ops = make_cpu_ops(*pool, {set, {}});
      ASSERT_TRUE(same_bits(step(*ops), expected));
    }
}

Tensor filled(Ops& ops, size_t n_rows, size_t n_cols, const std::vector<double>& x) {
  const Tensor t = ops.allocate(n_rows, n_cols);
  ops.write(t, x.data());
  return t;
}
std::vector<float> values(Ops& ops, Tensor t) {
  std::vector<float> y(t.n_rows * t.n_cols);
  ops.read(t, y.data());
  return y;
}

TEST(Ops, NormsEqualTwin) {
  std::mt19937 rng(5);
  for (const Norm::Kind kind : {Norm::Kind::rms, Norm::Kind::layer})
    for (const size_t group : {1, 15, 16, 17, 64, 100, 257})
      for (const size_t n_groups : {1, 3})
        for (const bool bias : {false, true}) {
          const size_t n = group * n_groups;
          const std::vector<double> x = random_values(3 * n, rng), w = random_values(n, rng);
          Norm norm{kind, group, {w.begin(), w.begin() + ptrdiff_t(bias ? n : group)}, {}, 1e-5};
          if (bias) norm.bias = norm.weight;
          expect_all_equal([&](Ops& ops) {
            const Tensor in = filled(ops, 3, n, x), out = ops.allocate(3, n);
            ops.norm({"n"}, out, in, norm);
            return values(ops, out);
          });
        }
}

TEST(Ops, ElementwiseEqualsTwinOverTheWholeRange) {
  std::vector<double> x = {0.0, -0.0, 1e-30, -1e-30, 86,       -86,       -86.0001, 88,   88.1, -88.1,
                           200, -200, 1e30,  -1e30,  INFINITY, -INFINITY, NAN,      3e38, -3e38};
  for (double v = -100; v < 100; v += 0.0137) x.push_back(v);
  std::mt19937 rng(6);
  const std::vector<double> y = random_values(x.size(), rng);
  for (const Activation f : {Activation::silu, Activation::gelu})
    expect_all_equal([&](Ops& ops) {
      const Tensor a = filled(ops, 1, x.size(), x), b = filled(ops, 1, x.size(), x),
                   c = filled(ops, 1, x.size(), y);
      ops.activate({"a"}, a, f);
      ops.activate_mul({"b"}, b, c, f);
      ops.soft_cap({"c"}, c, 0.5);
      ops.add({"d"}, a, b);
      ops.scale({"e"}, c, 1.7);
      std::vector<float> all = values(ops, a);
      for (const Tensor t : {b, c})
        for (const float v : values(ops, t)) all.push_back(v);
      return all;
    });
}

TEST(Ops, RopeEqualsTwin) {
  std::mt19937 rng(7);
  for (const Rope::Pairs pairs : {Rope::Pairs::adjacent, Rope::Pairs::halves})
    for (const size_t n_pairs : {4, 16, 20}) {
      Rope rope{pairs, {}, 1.1};
      for (size_t j = 0; j < n_pairs; ++j)
        rope.frequencies.push_back(std::pow(10000.0, -double(j) / double(n_pairs)));
      const std::vector<double> x = random_values(5 * 3 * 40, rng);
      const std::vector<int32_t> positions = {0, 1, 2, 700, 100000};
      expect_all_equal([&](Ops& ops) {
        const Tensor t = filled(ops, 5, 3 * 40, x);
        ops.rope({"r"}, t, 40, rope, {positions, positions, {}});
        return values(ops, t);
      });
    }
}

TEST(Ops, AttentionEqualsTwinForAnyBatchSplit) {
  std::mt19937 rng(8);
  struct Shape {
    size_t n_heads, n_kv_heads, head_dim, window;
    double soft_cap;
  };
  for (const Shape& s :
       {Shape{8, 1, 64, 0, 0}, {4, 2, 40, 0, 0}, {3, 3, 16, 0, 5.0}, {8, 2, 32, 70, 0}, {16, 1, 8, 1, 0}})
    for (const KvTypeInfo& kv : kv_types()) {
      if (s.head_dim % kv.group != 0) continue;
      SCOPED_TRACE(kv.name);
      const size_t n_tokens = 150;
      const std::vector<double> q = random_values(n_tokens * s.n_heads * s.head_dim, rng);
      const std::vector<double> k = random_values(n_tokens * s.n_kv_heads * s.head_dim, rng);
      std::vector<double> v = random_values(k.size(), rng);
      v.back() = INFINITY;  // of the last position: no earlier one may notice
      const AttentionParams params{s.n_heads, s.n_kv_heads, s.head_dim, 0.2, s.soft_cap, s.window};
      std::vector<int32_t> positions(n_tokens);
      for (size_t i = 0; i < n_tokens; ++i) positions[i] = int32_t(i);
      const auto run = [&](Ops& ops, size_t step) {
        const auto cache = ops.make_kv_cache({2, s.n_kv_heads, s.head_dim, n_tokens, kv.type});
        const std::vector<KvCache*> caches(n_tokens, cache.get());
        const Tensor tq = filled(ops, n_tokens, s.n_heads * s.head_dim, q);
        const Tensor tk = filled(ops, n_tokens, s.n_kv_heads * s.head_dim, k);
        const Tensor tv = filled(ops, n_tokens, s.n_kv_heads * s.head_dim, v);
        const Tensor out = ops.allocate(n_tokens, s.n_heads * s.head_dim);
        for (size_t begin = 0; begin < n_tokens; begin += step) {
          const size_t n = std::min(step, n_tokens - begin);
          const Batch batch{std::span(positions).subspan(begin, n), std::span(positions).subspan(begin, n),
                            std::span(caches).subspan(begin, n)};
          ops.store_kv(1, tk.rows(begin, n), tv.rows(begin, n), batch);
          ops.attention({"a"}, 1, out.rows(begin, n), tq.rows(begin, n), batch, params);
        }
        return values(ops, out);
      };
      std::vector<float> whole;
      expect_all_equal([&](Ops& ops) { return whole = run(ops, n_tokens); });
      for (const size_t step : {1, 7, 64})
        expect_all_equal([&](Ops& ops) {
          std::vector<float> y = run(ops, step);
          EXPECT_TRUE(same_bits(y, whole));
          return y;
        });
    }
}

TEST(Ops, CachesOfHardNumbersEqualTwin) {
  constexpr size_t kTokens = 20, kHeadDim = 64, kBad = 11;
  const double hard[] = {NAN, INFINITY, -INFINITY, 1e30, -3e38, 1e-40, 65520, -0.0};
  const size_t n_heads = 2 * std::size(hard), width = n_heads * kHeadDim;
  std::mt19937 rng(10);
  const std::vector<double> q = random_values(kTokens * width, rng);
  std::vector<double> k = random_values(kTokens * width, rng), v = random_values(kTokens * width, rng);
  for (size_t h = 0; h < n_heads; ++h) {  // half of the heads have it in a key, half in a value
    double* const head = (h % 2 == 0 ? k : v).data() + kBad * width + h * kHeadDim;
    if (std::abs(hard[h / 2]) < 1) std::fill_n(head + 32, 32, 0.0);
    head[40] = hard[h / 2];
  }
  std::vector<int32_t> positions(kTokens);
  for (size_t i = 0; i < kTokens; ++i) positions[i] = int32_t(i);
  const AttentionParams params{n_heads, n_heads, kHeadDim, 0.125, 0, 0};
  for (const KvTypeInfo& kv : kv_types()) {
    SCOPED_TRACE(kv.name);
    expect_all_equal([&](Ops& ops) {
      const auto cache = ops.make_kv_cache({1, n_heads, kHeadDim, kTokens, kv.type});
      const std::vector<KvCache*> caches(kTokens, cache.get());
      const Batch batch{positions, positions, caches};
      const Tensor out = ops.allocate(kTokens, width);
      ops.store_kv(0, filled(ops, kTokens, width, k), filled(ops, kTokens, width, v), batch);
      ops.attention({"a"}, 0, out, filled(ops, kTokens, width, q), batch, params);
      std::vector<float> all = values(ops, out);
      EXPECT_TRUE(std::ranges::all_of(std::span(all).first(kBad * width), [](float y) { return y == y; }));
      EXPECT_TRUE(std::isnan(all[kBad * width])) << "a NaN key is hidden";
      EXPECT_TRUE(std::isnan(all[kBad * width + kHeadDim + 40])) << "a NaN value is hidden";
      std::vector<double> head(2 * kHeadDim);
      for (size_t h = 0; h < n_heads; ++h) {
        cache->read_key(0, h, kBad, head.data());
        cache->read_value(0, h, kBad, head.data() + kHeadDim);
        all.insert(all.end(), head.begin(), head.end());
      }
      return all;
    });
  }
}

TEST(Ops, ExpertsEqualTwin) {
  std::mt19937 rng(9);
  const size_t n_tokens = 37, n_experts = 6, n_cols = 256, n_rows = 40;
  for (const char* name : {"Q4_K", "Q8_0", "F16", "IQ2_XS"}) {
    const QuantType& type = *find_quant_type(name);
    const std::vector<std::byte> bytes =
        random_blocks(type, n_experts * n_rows * n_cols / type.block_elems, rng);
    const Weight weight{"experts", &type, n_rows, n_cols, n_experts, bytes, 0};
    Linear linear{&weight, {}, {0.5f, 1, 2, 3, 4, 5}};
    for (size_t i = 0; i < n_experts * n_rows; ++i) linear.bias.push_back(float(i));
    const std::vector<double> x = random_values(n_tokens * n_cols, rng),
                              logits = random_values(n_tokens * n_experts, rng);
    for (const RouteParams::Order order :
         {RouteParams::Order::softmax_then_top, RouteParams::Order::top_then_softmax})
      expect_all_equal([&](Ops& ops) {
        const Weight* weights[] = {&weight};
        ops.load(weights, {});
        Routing routing;
        ops.route({"r"}, routing, filled(ops, n_tokens, n_experts, logits), {2, order, true, 1.5});
        const Tensor slots = ops.allocate(n_tokens * 2, n_rows), out = ops.allocate(n_tokens, n_rows);
        const Product products[] = {{{"e"}, slots, &linear}};
        ops.expert_linear(products, filled(ops, n_tokens, n_cols, x), routing);
        ops.expert_sum({"s"}, out, slots, routing);
        return values(ops, out);
      });
  }
}

}  // namespace
}  // namespace assay
