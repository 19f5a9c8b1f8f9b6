#include "diagnose/verify/verify.h"

#include <fmt/format.h>

#include <bit>
#include <chrono>
#include <cmath>
#include <random>

#include "cpu/ops_cpu.h"
#include "diagnose/verify/golden_blocks.h"
#include "diagnose/verify/kernel_cases.h"
#include "runtime/backend.h"
#include "runtime/session.h"
#include "twin/ops_twin.h"

namespace assay {
namespace {

class Clock {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

bool same_bits(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

Check check_decoders(uint64_t seed) {
  const Clock clock;
  Check check{"decoders", "llama.cpp's golden blocks, and each other", 0, 0, 0, {}, {}, 0};
  for (const QuantType& type : quant_types()) {
    const std::vector<std::byte> blocks = random_blocks(type, 64, seed + type.id);
    const std::vector<float> w = decode(type, DecodePath::dequantize, blocks);
    for (const DecodePath path : {DecodePath::dequantize, DecodePath::integers}) {
      if (path == DecodePath::integers && !type.integers) continue;
      if (const auto fault = compare_with_golden(type, path)) check.fault(*fault);
      const std::vector<float> other = decode(type, path, blocks);
      for (size_t i = 0; i < w.size(); ++i)
        if (!same_bits(w[i], other[i])) {
          check.fault(fmt::format("{}: weight {} of a random block: dequantize {:.9g}, integers {:.9g}",
                                  type.name, i % type.block_elems, w[i], other[i]));
          break;
        }
      ++check.n_cases;
      check.n_values += w.size();
    }
  }
  for (const GoldenSample& s : golden_samples())
    check.n_values += GoldenSample::kWeights * (s.type->integers ? 2 : 1);
  check.seconds = clock.seconds();
  return check;
}

std::string describe(const KernelCase& c, std::string_view set, size_t n_threads, const Mismatch& m) {
  return fmt::format(
      "{}: {}{}{}{}, {}, {} threads: token {} row {}: expected {:.9g}, found {:.9g} ({} of {} wrong)", set,
      c.op, c.type ? " " : "", c.type ? c.type->name : "", c.packed ? "" : " taken apart", c.shape, n_threads,
      m.token, m.row, m.expected, m.found, m.n_wrong, c.expected.size());
}

Check check_bounds(const std::vector<KernelCase>& cases, ThreadPool& pool) {
  const Clock clock;
  Check check{"twin", "exact, within derived bounds", 0, 0, 0, {}, {}, 0};
  for (const KernelCase& c : cases) {
    if (!c.run || !c.packed || !c.finite) continue;
    if (const auto fault = compare_with_exact(c, *make_twin_ops(pool), pool)) check.fault(fault->what);
    ++check.n_cases;
    check.n_values += c.expected.size();
  }
  check.seconds = clock.seconds();
  return check;
}

Check check_kernels(const cpu::KernelSet& set, const std::vector<KernelCase>& cases) {
  const Clock clock;
  Check check{fmt::format("{} kernels", set.name), "twin, bit for bit", 0, 0, 0, {}, {}, 0};
  if (!cpu::runs_here(set)) {
    check.skipped = "this processor lacks the instructions";
    return check;
  }
  ThreadPool one(1), two(2);
  for (const KernelCase& c : cases)
    for (ThreadPool* pool : {&one, &two}) {
      if (const auto m = compare(c, set, *pool)) check.fault(describe(c, set.name, pool->n_threads(), *m));
      ++check.n_cases;
      check.n_values += c.expected.size();
    }
  check.seconds = clock.seconds();
  return check;
}

/// One product with random activations, in each form that kernels have for the weight.
void check_products(const Weight& weight, uint64_t seed, ThreadPool& pool, Check& check) {
  std::mt19937_64 rng(seed);
  std::vector<double> x(weight.n_cols);
  for (double& v : x) v = float((0.1 + double(rng() % 1024) / 1024) * (rng() % 2 ? 1 : -1));
  for (size_t expert = 0; expert < weight.n_experts; ++expert) {
    const size_t bytes = weight.n_rows * weight.row_bytes();
    const Weight one{weight.name,
                     weight.type,
                     weight.n_rows,
                     weight.n_cols,
                     1,
                     weight.bytes.subspan(expert * bytes, bytes),
                     0};
    const Linear linear{&one, {}, {}};
    const auto run = [&](Ops& ops, bool packed) {
      const Weight* weights[] = {&one};
      if (packed) ops.load(weights, {});
      const Tensor in = ops.allocate(1, one.n_cols), out = ops.allocate(1, one.n_rows);
      ops.write(in, x.data());
      const Product products[] = {{{"product"}, out, &linear}};
      ops.linear(products, in);
      std::vector<float> y(one.n_rows);
      ops.read(out, y.data());
      return y;
    };
    const std::vector<float> expected = run(*make_twin_ops(pool), false);
    for (const cpu::KernelSet* set : cpu::kernel_sets())
      for (const bool packed : {true, false}) {
        if (!cpu::runs_here(*set) || (packed && !set->product[one.type->id])) continue;
        const std::vector<float> found = run(*make_cpu_ops(pool, {set, {}}), packed);
        ++check.n_cases;
        for (size_t r = 0; r < found.size(); ++r)
          if (!same_bits(found[r], expected[r])) {
            check.fault(fmt::format(
                "{} ({}): {}{} row {}{}: expected {:.9g}, found {:.9g}", printable(weight.name),
                weight.type->name, set->name, packed ? " tiles" : " taken apart", r,
                weight.n_experts > 1 ? fmt::format(" of expert {}", expert) : "", expected[r], found[r]));
            break;
          }
      }
  }
}

/// Both decoders of a type on every block of a tensor.
void check_blocks(const GgufFile& file, const TensorInfo& tensor, Check& check) {
  constexpr size_t kBlocksAtOnce = 4096;
  const QuantType& type = *tensor.type;
  const std::span<const std::byte> bytes = file.data(tensor);
  for (size_t at = 0; at < bytes.size(); at += kBlocksAtOnce * type.block_bytes) {
    const auto blocks = bytes.subspan(at, std::min(kBlocksAtOnce * type.block_bytes, bytes.size() - at));
    const std::vector<float> w = decode(type, DecodePath::dequantize, blocks);
    check.n_values += w.size();
    for (size_t i = 0; i < w.size(); ++i)
      if (!std::isfinite(w[i])) {
        check.fault(fmt::format("{} ({}): weight {} is {}", printable(tensor.name), type.name,
                                at / type.block_bytes * type.block_elems + i, w[i]));
        return;
      }
    if (!type.integers) continue;
    const std::vector<float> other = decode(type, DecodePath::integers, blocks);
    for (size_t i = 0; i < w.size(); ++i)
      if (!same_bits(w[i], other[i])) {
        check.fault(fmt::format("{} ({}): weight {}: dequantize {:.9g}, integers {:.9g}",
                                printable(tensor.name), type.name,
                                at / type.block_bytes * type.block_elems + i, w[i], other[i]));
        return;
      }
  }
}

/// A forward pass of `first` and `second` in lockstep; judge(step) says what is wrong.
template <class Judge>
void lockstep(const Model& model, Ops& first, Ops& second, std::span<const int32_t> ids, const Judge& judge,
              Check& check) {
  LockstepOps ops(first, second, [&](const LockstepStep& step) {
    ++check.n_cases;
    check.n_values += step.first.x.size();
    if (const std::optional<Excess> e = judge(step))
      check.fault(fmt::format(
          "{} {}{}: token {} column {}: expected {:.9g}, found {:.9g}, allowed difference {:.3g}",
          op_name(step.call), step.name.base, step.name.layer >= 0 ? fmt::format("-{}", step.name.layer) : "",
          e->row, e->col, e->second, e->first, e->bound));
  });
  Session session(
      model, ops,
      {.n_ctx = ids.size(), .n_batch = ids.size(), .n_logit_rows = ids.size(), .kv_type = KvType::f16});
  session.prefill(ids, [](size_t, std::span<const float>, std::span<const float>) {});
  if (ops.failure()) std::rethrow_exception(ops.failure());
}

}  // namespace

bool verify_machine(uint64_t seed, const CheckSink& sink) {
  if (!sink(check_decoders(seed))) return false;
  ThreadPool pool(ThreadPool::default_threads());
  const std::vector<KernelCase> cases = make_kernel_cases(seed, pool);
  if (!sink(check_bounds(cases, pool))) return false;
  for (const cpu::KernelSet* set : cpu::kernel_sets())
    if (!sink(check_kernels(*set, cases))) return false;
  return true;
}

bool verify_model(const Model& model, uint64_t seed, ThreadPool& pool, const CheckSink& sink) {
  {
    const Clock clock;
    Check check{fmt::format("{} tensors", model.file().tensors().size()),
                "both decoders, every block",
                0,
                0,
                0,
                {},
                {},
                0};
    for (const TensorInfo& tensor : model.file().tensors()) {
      check_blocks(model.file(), tensor, check);
      ++check.n_cases;
    }
    check.seconds = clock.seconds();
    if (!sink(check)) return false;
  }
  {
    const Clock clock;
    const std::vector<const Weight*> weights = model.product_weights();
    Check check{
        fmt::format("{} weights", weights.size()), "products of every kernel set = twin", 0, 0, 0, {}, {}, 0};
    for (const Weight* weight : weights) {
      check_products(*weight, seed + weight->id, pool, check);
      check.n_values += weight->n_experts * weight->n_rows * weight->n_cols;
    }
    check.seconds = clock.seconds();
    if (!sink(check)) return false;
  }
  std::mt19937_64 rng(seed);
  std::vector<int32_t> ids(std::min<size_t>(8, model.max_context()));
  for (int32_t& id : ids) id = int32_t(rng() % model.hparams().vocab_size);
  const auto make = [&](std::string_view name) {
    std::unique_ptr<Ops> ops = need_backend(name).make({pool, {}});
    ops->load(model.product_weights(), {});
    return ops;
  };
  for (const Backend& backend : backends())
    for (const std::string_view other : {"twin", "exact"}) {
      if (backend.name == other || backend.name == "exact") continue;
      const Clock clock;
      const bool equal = other == "twin";
      Check check{fmt::format("{} in lockstep", backend.name),
                  equal ? "twin, bit for bit" : "exact, within derived bounds",
                  0,
                  0,
                  0,
                  {},
                  {},
                  0};
      const std::unique_ptr<Ops> first = make(backend.name), second = make(other);
      lockstep(
          model, *first, *second, ids,
          [&](const LockstepStep& step) {
            if (!equal) return first_excess(step, bound_of(step, kF32Arithmetic));
            return first_excess(
                step, {step.first.n_rows, step.first.n_cols, std::vector<double>(step.first.x.size())});
          },
          check);
      check.seconds = clock.seconds();
      if (!sink(check)) return false;
    }
  return true;
}

}  // namespace assay
