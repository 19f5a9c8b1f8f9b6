// Micro-benchmarks of the CPU kernels: every kernel set that runs here x every type with a product kernel,
// and the other operations. One command builds and runs them:
//
//     ninja -C build kernels_bench && build/kernels_bench [--threads=2] [--benchmark_filter='matvec/Q4_K/.*']
//         [--benchmark_repetitions=5 --benchmark_report_aggregates_only] ...
//
// The machine's limits are measured first (src/cpu/limits.h) with the best kernel set and as many threads,
// and printed above the table; `share` is the part of its limit that a row reaches:
//
//     matvec/TYPE/SET      one token, as in generation: bytes/s of weights; limit: memory
//     matmul/TYPE/SET/n    n tokens, as in prefill: ops/s, a multiply-add is two; limit: int8 or f32
//     attention/KV/SET     one token at depth 2048, 22 layers: bytes/s of keys and values; limit: memory
//     round/FORM/SET       activations to int8, one thread, in the first cache level: bytes/s of f32
//     normalize/SET        RMS norm, likewise
//
// Products and attention go through Ops, as models do: rounding of the token and the hand-out to threads are
// part of what is measured. Where CPU (of the first thread) is far below Time, other processes had the
// processor and the row says little. The warning of a DEBUG build is about Debian's libbenchmark alone.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <iostream>
#include <random>
#include <string_view>

#include "base/cpu_flags.h"
#include "base/memory.h"
#include "cpu/limits.h"
#include "cpu/ops_cpu.h"
#include "quant/encode/encode.h"

namespace assay {
namespace {

using cpu::KernelSet;

constexpr size_t kCols = 2048;                      // a row of TinyLlama's attention weights
constexpr size_t kStreamBytes = size_t(256) << 20;  // far beyond every cache
constexpr size_t kPrefillRows = 2048;
constexpr size_t kLayers = 22, kHeads = 32, kKvHeads = 4, kHeadDim = 64, kDepth = 2048;

struct Machine {
  explicit Machine(size_t n_threads)
      : pool(n_threads), limits(cpu::LimitMeter(cpu::best_kernel_set(), pool).measure()) {}
  ThreadPool pool;
  cpu::Limits limits;
};

template <class T>
std::vector<T> normal_values(size_t n) {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  std::vector<T> x(n);
  for (T& v : x) v = T(normal(rng));
  return x;
}

/// A weight of n_rows rows: a tile of encoded values, again and again.
struct RepeatedWeight {
  RepeatedWeight(const QuantType& type, size_t n_rows) {
    weight = {"w", &type, n_rows, kCols, 1, {}, 0};
    const std::vector<float> values = normal_values<float>(cpu::kTileRows * kCols);
    std::vector<std::byte> tile(cpu::kTileRows * weight.row_bytes());
    encode_rows(type, values.data(), cpu::kTileRows, kCols, {{}, Effort::fast}, tile.data());
    memory = LargeBlock(n_rows * weight.row_bytes());
    for (size_t at = 0; at < memory.n_bytes(); at += tile.size())
      std::memcpy(memory.data() + at, tile.data(), std::min(tile.size(), memory.n_bytes() - at));
    weight.bytes = {memory.data(), memory.n_bytes()};
  }
  LargeBlock memory;
  Weight weight;
};

/// Runs `work`, which does `amount` of something in one call, and reports its rate and the share of `limit`
/// (0: none known).
template <class Work>
void measure(benchmark::State& state, const char* unit, double amount, double limit, const Work& work) {
  work();  // memory is mapped, threads are awake
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) work();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double rate = amount * double(state.iterations()) / seconds;
  state.counters[unit] = benchmark::Counter(rate);
  if (limit != 0) state.counters["share"] = rate / limit;
}

/// n_tokens through a weight of n_rows rows.
void product(benchmark::State& state, Machine& machine, const KernelSet& set, const QuantType& type,
             size_t n_rows, size_t n_tokens) {
  const RepeatedWeight repeated(type, n_rows);
  const Weight& weight = repeated.weight;
  const std::unique_ptr<Ops> ops = make_cpu_ops(machine.pool, {&set, {}});
  const Weight* weights[] = {&weight};
  ops->load(weights, {});
  const Tensor in = ops->allocate(n_tokens, kCols), out = ops->allocate(n_tokens, n_rows);
  ops->write(in, normal_values<double>(n_tokens * kCols).data());
  const Linear linear{&weight, {}, {}};
  const Product products[] = {{{"product"}, out, &linear}};
  const auto work = [&] { ops->linear(products, in); };
  if (n_tokens == 1) {
    measure(state, "bytes/s", double(weight.bytes.size()), machine.limits.read_bytes, work);
  } else {
    const bool integers = type.activations != Activations::f32;
    measure(state, "ops/s", 2.0 * double(n_rows * kCols * n_tokens),
            integers ? machine.limits.int8_ops : machine.limits.float_ops, work);
  }
}

void attention(benchmark::State& state, Machine& machine, const KernelSet& set, KvType type) {
  const std::unique_ptr<Ops> ops = make_cpu_ops(machine.pool, {&set, {}});
  const std::unique_ptr<KvCache> cache = ops->make_kv_cache({kLayers, kKvHeads, kHeadDim, kDepth, type});
  const Tensor kv = ops->allocate(kDepth, kKvHeads * kHeadDim), q = ops->allocate(1, kHeads * kHeadDim),
               out = ops->allocate(1, kHeads * kHeadDim);
  const std::vector<double> values = normal_values<double>(kDepth * kKvHeads * kHeadDim);
  ops->write(kv, values.data());
  ops->write(q, values.data());
  std::vector<int32_t> positions(kDepth);
  for (size_t i = 0; i < kDepth; ++i) positions[i] = int32_t(i);
  const std::vector<KvCache*> caches(kDepth, cache.get());
  for (size_t layer = 0; layer < kLayers; ++layer)
    ops->store_kv(layer, kv, kv, {positions, positions, caches});
  const Batch last{std::span(positions).last(1), std::span(positions).last(1), std::span(caches).last(1)};
  const AttentionParams params{kHeads, kKvHeads, kHeadDim, 0.125, 0, 0};
  const double n_bytes =
      2.0 * double(kLayers * kDepth * kKvHeads * kHeadDim) * kv_info(type).bytes_per_number;
  measure(state, "bytes/s", n_bytes, machine.limits.read_bytes, [&] {
    for (size_t layer = 0; layer < kLayers; ++layer)
      ops->attention({"attention"}, layer, out, q, last, params);
  });
}

void one_thread(benchmark::State& state, const std::function<void(const float* x, float* y)>& work) {
  const std::vector<float> x = normal_values<float>(kCols);
  std::vector<float> y(kCols);
  measure(state, "bytes/s", double(kCols * sizeof(float)), 0, [&] {
    work(x.data(), y.data());
    benchmark::ClobberMemory();
  });
}

template <class Run>
void add(const std::string& name, const Run& run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

void add_all(Machine& machine) {
  std::vector<const KernelSet*> sets;
  for (const KernelSet* set : cpu::kernel_sets()) {
    if (cpu::runs_here(*set))
      sets.push_back(set);
    else
      std::cerr << set->name << ": left out, this processor lacks the instructions\n";
  }
  for (const size_t n_tokens : {1, 32, 512})
    for (const QuantType& type : quant_types())
      for (const KernelSet* set : sets) {
        if (!set->product[type.id]) continue;
        const size_t row_bytes = kCols / type.block_elems * type.block_bytes;
        const size_t n_rows = n_tokens == 1 ? kStreamBytes / row_bytes : kPrefillRows;
        const std::string name =
            fmt::format("{}/{}/{}", n_tokens == 1 ? "matvec" : "matmul", type.name, set->name);
        add(n_tokens == 1 ? name : fmt::format("{}/{}", name, n_tokens),
            [&machine, set, &type, n_rows, n_tokens](benchmark::State& state) {
              product(state, machine, *set, type, n_rows, n_tokens);
            });
      }
  for (const KvTypeInfo& kv : kv_types())
    for (const KernelSet* set : sets)
      add(fmt::format("attention/{}/{}", kv.name, set->name),
          [&machine, set, &kv](benchmark::State& state) { attention(state, machine, *set, kv.type); });
  for (const KernelSet* set : sets) {
    add(fmt::format("round/q8_k/{}", set->name), [set](benchmark::State& state) {
      std::vector<cpu::RoundedQ8K> rounded(kCols / 256);
      one_thread(state, [&](const float* x, float*) { set->round_q8_k(x, rounded.size(), rounded.data()); });
    });
    add(fmt::format("round/q8_0/{}", set->name), [set](benchmark::State& state) {
      std::vector<cpu::RoundedQ8_0> rounded(kCols / 32);
      one_thread(state, [&](const float* x, float*) { set->round_q8_0(x, rounded.size(), rounded.data()); });
    });
    add(fmt::format("normalize/{}", set->name), [set](benchmark::State& state) {
      const std::vector<float> weight(kCols, 1.5f);
      one_thread(state, [&](const float* x, float* y) {
        set->normalize(false, 1e-5f, x, kCols, weight.data(), nullptr, y);
      });
    });
  }
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  using namespace assay;
  benchmark::Initialize(&argc, argv);
  size_t n_threads = ThreadPool::default_threads();
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    n_threads = option.starts_with("--threads=") ? size_t(std::atoi(argv[i] + 10)) : 0;
    if (n_threads == 0) {
      std::cerr << "usage: kernels_bench [--threads=N] [--benchmark_...]; not understood: " << option << "\n";
      return 2;
    }
  }
  Machine machine(n_threads);
  const cpu::Limits& limits = machine.limits;
  benchmark::AddCustomContext("machine", fmt::format("{}, {} threads, {:.2f} GHz seen", cpu_name(), n_threads,
                                                     limits.clock_hertz / 1e9));
  benchmark::AddCustomContext(
      "limits", fmt::format("read {:.1f} GB/s, int8 {:.0f} Gop/s, f32 {:.0f} Gflop/s",
                            limits.read_bytes / 1e9, limits.int8_ops / 1e9, limits.float_ops / 1e9));
  add_all(machine);
  benchmark::RunSpecifiedBenchmarks();
}
