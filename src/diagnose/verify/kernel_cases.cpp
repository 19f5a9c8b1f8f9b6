#include "diagnose/verify/kernel_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <random>

#include "cpu/ops_cpu.h"
#include "exact/ops_exact.h"
#include "twin/arithmetic.h"
#include "twin/ops_twin.h"

namespace assay {
namespace {

using cpu::KernelSet;
using Random = std::mt19937_64;

std::vector<double> random_values(size_t n, Random& rng) {
  std::normal_distribution<double> normal;
  std::vector<double> x(n);
  for (double& v : x) v = float(normal(rng)) * (rng() % 50 == 0 ? 20 : 1);
  return x;
}

Tensor filled(Ops& ops, size_t n_rows, size_t n_cols, const std::vector<double>& x) {
  const Tensor t = ops.allocate(n_rows, n_cols);
  ops.write(t, x.data());
  return t;
}
/// A place for results that holds something else before: what is not written shows.
Tensor allocate_out(Ops& ops, size_t n_rows, size_t n_cols) {
  return filled(ops, n_rows, n_cols, std::vector<double>(n_rows * n_cols, 7));
}
void append(Ops& ops, Tensor t, std::vector<float>& all) {
  const size_t at = all.size();
  all.resize(at + t.n_rows * t.n_cols);
  ops.read(t, all.data() + at);
}
std::vector<float> values(Ops& ops, Tensor t) {
  std::vector<float> y;
  append(ops, t, y);
  return y;
}

size_t activation_unit(const QuantType& type) {
  return std::max<size_t>(type.block_elems, type.activations == Activations::q8_k ? 256 : 32);
}

uint32_t functions_of(const QuantType& type, bool packed) {
  switch (type.activations) {
    case Activations::q8_k:
      return kRoundQ8K | (packed ? kProduct : kUnpacked);
    case Activations::q8_0:
      return kRoundQ8_0 | (packed ? kProduct : kUnpacked);
    case Activations::f32:
      break;
  }
  return packed ? kProduct : kFloatTile;
}

/// What a product case owns.
struct Linears {
  std::vector<std::byte> bytes;
  Weight weight;
  Linear linear;
  std::vector<double> x;
};

struct LinearShape {
  size_t n_units, n_rows, n_tokens;
};
constexpr LinearShape kLinearShapes[] = {{1, 1, 1},  {3, 7, 2},  {2, 16, 4}, {2, 33, 5}, {1, 64, 6},
                                         {2, 20, 7}, {3, 48, 8}, {5, 35, 9}, {5, 81, 3}, {1, 17, 33}};

/// The inputs of a product, hard ones among them.
std::vector<double> linear_inputs(const LinearShape& s, size_t unit, Random& rng) {
  const size_t n_cols = s.n_units * unit;
  std::vector<double> x = random_values(s.n_tokens * n_cols, rng);
  if (s.n_units == 3) std::fill_n(x.begin(), unit, 0.0);                    // a block of zeros
  if (s.n_units == 5) x[0] = -(x[1] = 300);                                 // both signs reach the largest
  if (s.n_units == 5 && s.n_tokens == 3) x[2 * n_cols + 3] = std::nan("");  // a fault must travel on
  if (s.n_units == 2)  // a step of 1 and halves between the codes: ties
    for (size_t i = 0; i < unit; ++i) x[i] = i % 32 == 0 ? 127 : double(rng() % 253) - 126 + 0.5;
  return x;
}

void add_linear(const QuantType& type, const LinearShape& s, const std::vector<double>& x, Random& rng,
                std::vector<KernelCase>& cases) {
  const size_t n_cols = s.n_units * activation_unit(type), n_tokens = s.n_tokens;
  const auto own = std::make_shared<Linears>();
  own->bytes = random_blocks(type, s.n_rows * n_cols / type.block_elems, rng());
  own->weight = {"w", &type, s.n_rows, n_cols, 1, own->bytes, 0};
  own->linear.weight = &own->weight;
  own->x = x;
  if (s.n_units % 2 == 1) {
    for (size_t r = 0; r < s.n_rows; ++r) own->linear.bias.push_back(float(r + 1) * 0.37f);
    own->linear.scale = {0.7f};
  }
  KernelCase c;
  c.op = "linear";
  c.type = &type;
  c.shape = fmt::format("{} rows x {} columns, {} tokens{}", s.n_rows, n_cols, n_tokens,
                        own->linear.bias.empty() ? "" : ", bias and scale");
  c.width = s.n_rows;
  for (const bool packed : {true, false}) {
    c.packed = packed;
    c.functions = functions_of(type, packed);
    c.run = [own, n_tokens, packed](Ops& ops) {
      const Weight* weights[] = {&own->weight};
      if (packed) ops.load(weights, {});
      const Tensor in = filled(ops, n_tokens, own->weight.n_cols, own->x);
      const Tensor out = allocate_out(ops, n_tokens, own->weight.n_rows);
      const Product products[] = {{{"linear"}, out, &own->linear}};
      ops.linear(products, in);
      return values(ops, out);
    };
    cases.push_back(c);
  }
}

/// Products whose noise band (bounds.h) is narrow: many outputs, plain inputs, weights without a mean.
void add_noise(Random& rng, std::vector<KernelCase>& cases) {
  std::normal_distribution<double> normal;
  for (const auto& [name, n_units] : {std::pair{"Q6_K", 4}, {"Q8_0", 16}}) {
    const QuantType& type = *find_quant_type(name);
    const LinearShape shape{size_t(n_units), 64, 16};
    std::vector<double> x(shape.n_tokens * shape.n_units * activation_unit(type));
    for (double& v : x) v = float(normal(rng));
    add_linear(type, shape, x, rng, cases);
  }
}

void add_rounding(Random& rng, std::vector<KernelCase>& cases) {
  std::vector<float> x;
  const LinearShape shapes[] = {{5, 1, 3}, {3, 1, 2}, {2, 1, 4}};
  for (const LinearShape& s : shapes)
    for (const double v : linear_inputs(s, 256, rng)) x.push_back(float(v));
  const auto input = std::make_shared<const std::vector<float>>(x);
  // Each block as its codes, its step, and the sums, for which the codes vouch.
  KernelCase k;
  k.op = "round Q8_K";
  k.shape = fmt::format("{} blocks", x.size() / 256);
  k.functions = kRoundQ8K;
  k.width = 256 + 1 + 48;
  k.finite = false;
  k.run_kernels = [input](const KernelSet& set) {
    std::vector<cpu::RoundedQ8K> blocks(input->size() / 256);
    set.round_q8_k(input->data(), blocks.size(), blocks.data());
    std::vector<float> all;
    for (const cpu::RoundedQ8K& b : blocks) {
      all.insert(all.end(), b.q, b.q + 256);
      all.push_back(b.d);
      for (const int32_t s : b.minus_sum16) all.push_back(float(-s));
      all.insert(all.end(), b.sum16, b.sum16 + 16);
      for (const int32_t s : b.minus_sum32) all.push_back(float(-s));
      all.insert(all.end(), b.sum32, b.sum32 + 8);
    }
    return all;
  };
  const twin::RoundedRow row = twin::round_q8_k(x);
  for (size_t b = 0; b < row.d.size(); ++b) {
    const auto sums = [&](size_t n) {
      for (size_t i = 0; i < 256; i += n)
        k.expected.push_back(float(std::accumulate(row.q.begin() + ptrdiff_t(b * 256 + i),
                                                   row.q.begin() + ptrdiff_t(b * 256 + i + n), 0)));
    };
    k.expected.insert(k.expected.end(), row.q.begin() + ptrdiff_t(b * 256),
                      row.q.begin() + ptrdiff_t(b * 256 + 256));
    k.expected.push_back(row.d[b]);
    sums(16), sums(16), sums(32), sums(32);
  }
  cases.push_back(k);

  KernelCase z;
  z.op = "round Q8_0";
  z.shape = fmt::format("{} blocks", x.size() / 32);
  z.functions = kRoundQ8_0;
  z.width = 32 + 2;
  z.finite = false;
  z.run_kernels = [input](const KernelSet& set) {
    std::vector<cpu::RoundedQ8_0> blocks(input->size() / 32);
    set.round_q8_0(input->data(), blocks.size(), blocks.data());
    std::vector<float> all;
    for (const cpu::RoundedQ8_0& b : blocks) {
      all.insert(all.end(), b.q, b.q + 32);
      all.push_back(b.d);
      all.push_back(float(-b.minus_sum));
    }
    return all;
  };
  const twin::RoundedRow row0 = twin::round_q8_0(x);
  for (size_t b = 0; b < row0.d.size(); ++b) {
    const auto begin = row0.q.begin() + ptrdiff_t(b * 32);
    z.expected.insert(z.expected.end(), begin, begin + 32);
    z.expected.push_back(row0.d[b]);
    z.expected.push_back(float(std::accumulate(begin, begin + 32, 0)));
  }
  cases.push_back(z);
}

void add_norms(Random& rng, std::vector<KernelCase>& cases) {
  for (const Norm::Kind kind : {Norm::Kind::rms, Norm::Kind::layer})
    for (const size_t group : {1, 15, 16, 17, 100, 257})
      for (const bool small : {false, true})  // small: the epsilon counts
        for (const bool per_column : {false, true}) {
          const size_t n = group * 3;
          std::vector<double> x = random_values(3 * n, rng);
          const std::vector<double> w = random_values(n, rng);
          for (double& v : x) v = small ? float(v * 1e-3) : float(v + 0.5);
          Norm norm{kind, group, {w.begin(), w.begin() + ptrdiff_t(per_column ? n : group)}, {}, 1e-5};
          if (per_column) norm.bias.assign(w.rbegin(), w.rend());
          KernelCase c;
          c.op = "norm";
          c.shape = fmt::format("{}, groups of {}{}", kind == Norm::Kind::rms ? "rms" : "layer", group,
                                per_column ? ", bias" : "");
          c.functions = kNormalize;
          c.width = n;
          c.run = [x, n, norm](Ops& ops) {
            const Tensor in = filled(ops, 3, n, x), out = allocate_out(ops, 3, n);
            ops.norm({"norm"}, out, in, norm);
            return values(ops, out);
          };
          cases.push_back(c);
        }
}

void add_elementwise(Random& rng, std::vector<KernelCase>& cases) {
  std::vector<double> range = {0.0, -0.0, 1e-30, -1e-30, 86, -86, -86.0001, 88, 88.1, -88.1, 200, -200};
  for (double v = -100; v < 100; v += 0.0737) range.push_back(float(v));
  std::vector<double> extreme = {1e30, -1e30, INFINITY, -INFINITY, NAN, 3e38, -3e38};
  for (const bool finite : {true, false}) {
    const std::vector<double>& x = finite ? range : extreme;
    const std::vector<double> y = random_values(x.size(), rng);
    KernelCase c;
    c.shape = fmt::format("{} values", x.size());
    c.width = x.size();
    c.finite = finite;
    for (const Activation f : {Activation::silu, Activation::gelu})
      for (const bool times : {false, true}) {
        c.op = fmt::format("{}{}", f == Activation::silu ? "silu" : "gelu", times ? " times up" : "");
        c.functions = kActivate;
        c.run = [x, y, f, times](Ops& ops) {
          const Tensor a = filled(ops, 1, x.size(), x), b = filled(ops, 1, x.size(), y);
          if (times)
            ops.activate_mul({"activate"}, a, b, f);
          else
            ops.activate({"activate"}, a, f);
          return values(ops, a);
        };
        cases.push_back(c);
      }
    c.op = "soft cap";
    c.functions = kSoftCap;
    c.run = [x](Ops& ops) {
      std::vector<float> all;
      for (const double cap : {0.5, 30.0}) {
        const Tensor a = filled(ops, 1, x.size(), x);
        ops.soft_cap({"soft_cap"}, a, cap);
        append(ops, a, all);
      }
      return all;
    };
    cases.push_back(c);
    c.op = "add";
    c.functions = kAdd;
    c.run = [x, y](Ops& ops) {
      const Tensor a = filled(ops, 1, x.size(), x), b = filled(ops, 1, x.size(), y);
      ops.add({"add"}, a, b);
      return values(ops, a);
    };
    cases.push_back(c);
  }
}

void add_ropes(Random& rng, std::vector<KernelCase>& cases) {
  for (const Rope::Pairs pairs : {Rope::Pairs::adjacent, Rope::Pairs::halves})
    for (const size_t n_pairs : {1, 4, 16, 20}) {
      Rope rope{pairs, {}, 1.1};
      for (size_t j = 0; j < n_pairs; ++j)
        rope.frequencies.push_back(std::pow(10000.0, -double(j) / double(n_pairs)));
      KernelCase c;
      c.op = "rope";
      c.shape = fmt::format("{}, {} pairs of head_dim 40",
                            pairs == Rope::Pairs::adjacent ? "adjacent" : "halves", n_pairs);
      c.functions = kRotate;
      c.width = 3 * 40;
      c.run = [rope, x = random_values(5 * 3 * 40, rng)](Ops& ops) {
        const std::vector<int32_t> positions = {0, 1, 2, 700, 100000};
        const Tensor t = filled(ops, 5, 3 * 40, x);
        ops.rope({"rope"}, t, 40, rope, {positions, positions, {}});
        return values(ops, t);
      };
      cases.push_back(c);
    }
}

void add_attention(Random& rng, std::vector<KernelCase>& cases) {
  struct Shape {
    size_t n_heads, n_kv_heads, head_dim, window, step;
    double soft_cap;
  };
  constexpr Shape kShapes[] = {{4, 2, 40, 0, 100, 0}, {8, 1, 64, 0, 7, 0},   {3, 3, 16, 0, 100, 5.0},
                               {8, 2, 32, 70, 1, 0},  {16, 1, 8, 1, 100, 0}, {2, 1, 24, 13, 33, 30}};
  for (const Shape& s : kShapes)
    for (const KvTypeInfo& kv : kv_types()) {
      if (s.head_dim % kv.group != 0) continue;
      constexpr size_t kTokens = 100;
      const size_t q_dim = s.n_heads * s.head_dim, kv_dim = s.n_kv_heads * s.head_dim;
      const AttentionParams params{s.n_heads, s.n_kv_heads, s.head_dim, 0.2, s.soft_cap, s.window};
      KernelCase c;
      c.op = "attention";
      c.shape = fmt::format("{} heads, {} KV heads of {}, window {}, cap {}, KV {}, {} tokens at once",
                            s.n_heads, s.n_kv_heads, s.head_dim, s.window, s.soft_cap, kv.name, s.step);
      c.functions = kAttend;
      if (kv.type == KvType::q8_0) c.functions |= kRoundQ8_0;
      c.width = q_dim;
      c.run = [=, type = kv.type, q = random_values(kTokens * q_dim, rng),
               k = random_values(kTokens * kv_dim, rng), v = random_values(kTokens * kv_dim, rng)](Ops& ops) {
        const auto cache = ops.make_kv_cache({2, s.n_kv_heads, s.head_dim, kTokens, type});
        const std::vector<KvCache*> caches(kTokens, cache.get());
        std::vector<int32_t> positions(kTokens);
        std::iota(positions.begin(), positions.end(), 0);
        const Tensor tq = filled(ops, kTokens, q_dim, q), tk = filled(ops, kTokens, kv_dim, k),
                     tv = filled(ops, kTokens, kv_dim, v), out = allocate_out(ops, kTokens, q_dim);
        for (size_t begin = 0; begin < kTokens; begin += s.step) {
          const size_t n = std::min(s.step, kTokens - begin);
          const auto some = std::span(positions).subspan(begin, n);
          const Batch batch{some, some, std::span(caches).subspan(begin, n)};
          ops.store_kv(1, tk.rows(begin, n), tv.rows(begin, n), batch);
          ops.attention({"attention"}, 1, out.rows(begin, n), tq.rows(begin, n), batch, params);
        }
        return values(ops, out);
      };
      cases.push_back(c);
    }
}

void add_experts(Random& rng, std::vector<KernelCase>& cases) {
  constexpr size_t kTokens = 37, kExperts = 6, kCols = 256, kRows = 40;
  for (const char* name : {"Q4_K", "Q8_0", "F16", "IQ2_XS"}) {
    const QuantType& type = *find_quant_type(name);
    const auto own = std::make_shared<Linears>();
    own->bytes = random_blocks(type, kExperts * kRows * kCols / type.block_elems, rng());
    own->weight = {"experts", &type, kRows, kCols, kExperts, own->bytes, 0};
    own->linear = {&own->weight, {}, {0.5f, 1, 2, 3, 4, 5}};
    for (size_t i = 0; i < kExperts * kRows; ++i) own->linear.bias.push_back(float(i));
    own->x = random_values(kTokens * kCols, rng);
    KernelCase c;
    c.op = "experts";
    c.type = &type;
    c.shape = fmt::format("{} experts of {} rows, 2 a token", kExperts, kRows);
    c.functions = functions_of(type, true) | kAddScaled;
    c.width = kRows;
    c.run = [own, logits = random_values(kTokens * kExperts, rng)](Ops& ops) {
      const Weight* weights[] = {&own->weight};
      ops.load(weights, {});
      Routing routing;
      ops.route({"route"}, routing, filled(ops, kTokens, kExperts, logits),
                {2, RouteParams::Order::softmax_then_top, true, 1.5});
      const Tensor slots = allocate_out(ops, kTokens * 2, kRows), out = allocate_out(ops, kTokens, kRows);
      const Product products[] = {{{"experts"}, slots, &own->linear}};
      ops.expert_linear(products, filled(ops, kTokens, kCols, own->x), routing);
      ops.expert_sum({"expert_sum"}, out, slots, routing);
      return values(ops, out);
    };
    cases.push_back(c);
  }
}

}  // namespace

std::vector<std::byte> random_blocks(const QuantType& type, size_t n_blocks, uint64_t seed) {
  Random rng(seed);
  std::vector<std::byte> bytes(n_blocks * type.block_bytes);
  std::vector<float> w(type.block_elems);
  for (size_t b = 0; b < n_blocks; ++b) {
    std::byte* const block = bytes.data() + b * type.block_bytes;
    float top = 0;
    do {
      for (size_t i = 0; i < type.block_bytes; ++i) block[i] = std::byte(rng());
      type.dequantize(block, 1, w.data());
      top = 0;
      for (const float v : w) top = std::isfinite(v) ? std::max(top, std::abs(v)) : INFINITY;
    } while (!(top <= 8 && top >= 1e-3f));
  }
  return bytes;
}

std::vector<KernelCase> make_kernel_cases(uint64_t seed, ThreadPool& pool) {
  Random rng(seed);
  std::vector<KernelCase> cases;
  add_rounding(rng, cases);
  add_norms(rng, cases);
  add_elementwise(rng, cases);
  add_ropes(rng, cases);
  add_attention(rng, cases);
  add_experts(rng, cases);
  for (const QuantType& type : quant_types())
    for (const LinearShape& shape : kLinearShapes)
      add_linear(type, shape, linear_inputs(shape, activation_unit(type), rng), rng, cases);
  add_noise(rng, cases);
  const KernelCase* same = nullptr;  // the packed form of an unpacked case: twin knows no difference
  for (KernelCase& c : cases) {
    if (!c.run) continue;
    c.expected = c.packed ? c.run(*make_twin_ops(pool)) : same->expected;
    same = &c;
  }
  return cases;
}

std::optional<Mismatch> compare(const KernelCase& c, std::span<const float> found) {
  Mismatch m{0, 0, 0, 0, 0};
  for (size_t i = 0; i < c.expected.size(); ++i) {
    const float e = c.expected[i], f = i < found.size() ? found[i] : NAN;
    if ((std::isnan(e) && std::isnan(f)) || std::bit_cast<uint32_t>(e) == std::bit_cast<uint32_t>(f))
      continue;
    if (m.n_wrong++ == 0) m = {i / c.width, i % c.width, e, f, 1};
  }
  if (m.n_wrong == 0) return std::nullopt;
  return m;
}

std::optional<Mismatch> compare(const KernelCase& c, const KernelSet& set, ThreadPool& pool) {
  if (c.run_kernels) return compare(c, c.run_kernels(set));
  return compare(c, c.run(*make_cpu_ops(pool, {&set, {}})));
}

std::optional<OutOfBound> compare_with_exact(const KernelCase& c, Ops& evaluator, ThreadPool& pool) {
  std::optional<OutOfBound> found;
  if (!c.run || !c.finite) return found;
  const std::unique_ptr<Ops> exact = make_exact_ops(pool);
  LockstepOps ops(evaluator, *exact, [&](const LockstepStep& step) {
    if (found) return;
    const std::string what =
        fmt::format("{}{}{}, {}", c.op, c.type ? " " : "", c.type ? c.type->name : "", c.shape);
    if (const auto excess = first_excess(step, bound_of(step, kF32Arithmetic)))
      found = {fmt::format("{}: {} token {} row {}: exact {:.9g}, {} {:.9g}, allowed difference {:.3g}", what,
                           op_name(step.call), excess->row, excess->col, excess->second, evaluator.name(),
                           excess->first, excess->bound)};
    const bool natural =
        std::ranges::all_of(step.in.x, [](double x) { return std::isfinite(x) && std::abs(x) < 127; });
    if (const auto noise = noise_of(step, kF32Arithmetic); noise && natural && !found && !noise->holds())
      found = {
          fmt::format("{}: errors of all outputs have RMS {:.3g}, outside {:.3g} .. {:.3g} (expected {:.3g})",
                      what, noise->rms, noise->low, noise->high, noise->expected)};
  });
  c.run(ops);
  if (ops.failure()) std::rethrow_exception(ops.failure());
  return found;
}

}  // namespace assay
