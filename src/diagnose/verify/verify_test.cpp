// verify's own checks: healthy kernels pass, whatever the seed; faulty ones do not.
#include "diagnose/verify/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "cpu/ops_cpu.h"
#include "diagnose/verify/golden_blocks.h"
#include "diagnose/verify/kernel_faults.h"
#include "runtime/backend.h"
#include "twin/arithmetic.h"

namespace assay {
namespace {

TEST(Verify, HealthyMachinesHaveNoFaults) {
  for (const uint64_t seed : {1, 2}) {
    size_t n_checks = 0;
    EXPECT_TRUE(verify_machine(seed, [&](const Check& check) {
      ++n_checks;
      EXPECT_EQ(check.n_faults, 0u) << "seed " << seed << ": " << check.subject << ": "
                                    << check.faults.front();
      EXPECT_TRUE(check.n_cases > 0 || !check.skipped.empty()) << check.subject;
      return true;
    }));
    EXPECT_EQ(n_checks, 2 + cpu::kernel_sets().size());
  }
}

TEST(Verify, FaultsAreCaught) {
  const MutationScore score = score_mutants(3, [](size_t, size_t) { return true; });
  for (const std::string& name : score.survivors) ADD_FAILURE() << name << " survives";
  EXPECT_GT(score.n_injected, 500u);
  EXPECT_EQ(score.n_caught, score.n_injected);
  std::set<std::string> reasons;
  for (const auto& e : score.equivalents) reasons.insert(e.reason);
  for (const std::string& reason : reasons) std::cout << "equivalent: " << reason << "\n";
  std::cout << score.n_caught << " of " << score.n_injected << " caught\n";
}

/// Whether any case of the mutant's function leaves the derived bound.
bool leaves_bound(const KernelMutant& m, std::span<const KernelCase> cases, ThreadPool& pool) {
  const cpu::KernelSet set = make_kernel_set(m);
  return std::ranges::any_of(cases, [&](const KernelCase& c) {
    return (c.functions & m.fault->function) != 0 && (!m.type || c.type == m.type) &&
           compare_with_exact(c, *make_cpu_ops(pool, {&set, {}}), pool);
  });
}

/// The RMS error of the set's rounding of Gaussian activations, in steps.
double rounding_error(const cpu::KernelSet& set, KernelFunction function) {
  constexpr size_t kValues = 64 * 256;
  std::mt19937 rng(5);
  std::normal_distribution<float> normal;
  std::vector<float> x(kValues);
  for (float& v : x) v = normal(rng);
  const auto rms = [&]<class Block>(std::vector<Block> blocks, auto round, auto round_healthy) {
    std::vector<Block> healthy = blocks;
    round(x.data(), blocks.size(), blocks.data());
    round_healthy(x.data(), blocks.size(), healthy.data());
    double sum = 0;
    for (size_t b = 0; b < blocks.size(); ++b)
      for (size_t i = 0; i < sizeof blocks[b].q; ++i) {
        const double found = double(blocks[b].d) * blocks[b].q[i];
        const double e = (found - double(x[b * sizeof blocks[b].q + i])) / double(healthy[b].d);
        sum += e * e;
      }
    return std::sqrt(sum / kValues);
  };
  const cpu::KernelSet& healthy = cpu::best_kernel_set();
  if (function == kRoundQ8K)
    return rms(std::vector<cpu::RoundedQ8K>(kValues / 256), set.round_q8_k, healthy.round_q8_k);
  return rms(std::vector<cpu::RoundedQ8_0>(kValues / 32), set.round_q8_0, healthy.round_q8_0);
}

// No formula that is wrong fits in the bounds. What only rounds otherwise may: it is listed when the
// derivation of the bounds allows it, or measured to be no worse than rounding to nearest.
TEST(Bounds, CatchWhatIsNoRounding) {
  // gamma(k) holds for k roundings in any order and lanes, fused or not; exp may be 4 u off.
  const std::set<std::string_view> allowed = {"unfused", "blocks-backwards", "columns-backwards", "one-lane",
                                              "other-exp"};
  // No kernel that reads them, or no input that exact is asked about.
  const std::set<std::string_view> silent = {"clamp-at-minus-128", "nan-swallowed",   "nan-rounded-away",
                                             "sums-of-fifteen",    "wide-sums-stale", "sum-of-half",
                                             "minus-sum-ignored"};
  const std::set<std::string_view> types = {"Q4_K", "Q6_K", "Q8_0", "F16"};
  const double nearest = 1 / std::sqrt(12.0);  // errors uniform over a step
  ThreadPool pool(1);
  std::vector<KernelCase> cases = make_kernel_cases(4, pool);
  std::erase_if(cases, [&](const KernelCase& c) { return c.type && !types.contains(c.type->name); });
  std::set<std::string_view> near;
  size_t n = 0;
  for (const KernelMutant& m : kernel_mutants(cpu::best_kernel_set())) {
    if (allowed.contains(m.fault->id) || silent.contains(m.fault->id)) continue;
    if (m.type && !types.contains(m.type->name)) continue;
    const bool rounds = (m.fault->function & (kRoundQ8K | kRoundQ8_0)) != 0;
    if (rounds && m.fault->id != "zero-block-divides") {
      const double error = rounding_error(make_kernel_set(m), m.fault->function);
      if (error <= nearest) {
        std::cout << m.name() << " only rounds: RMS " << error << " steps\n";
        near.insert(m.fault->id);
        continue;
      }
    }
    EXPECT_TRUE(leaves_bound(m, cases, pool)) << m.name() << " stays within the bound";
    ++n;
  }
  EXPECT_EQ(near,
            (std::set<std::string_view>{"half-up", "step-in-f16", "step-not-rounded", "step-truncated"}));
  std::cout << n << " faults outside\n";
}

TEST(Bounds, ExpIsAsGoodAsTheBoundsTakeItToBe) {
  double worst = 0;
  for (double x = -86; x < 88; x += 0.00037) {
    const double right = std::exp(double(float(x)));
    worst = std::max(worst, std::abs(double(twin::exp(float(x))) - right) / right);
  }
  EXPECT_LT(worst, 4 * 0x1p-24);
}

TEST(Golden, SamplesAreThoseOfTheGoldenData) {
  const std::filesystem::path folder = std::filesystem::path(ASSAY_SOURCE_DIR) / "tests/golden/quant";
  const auto read = [&](const std::string& name) {
    std::ifstream file(folder / name, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  std::set<uint32_t> types;
  for (const GoldenSample& s : golden_samples()) {
    types.insert(s.type->id);
    if (s.type->name == "F32") continue;
    const std::string blocks = read(std::string(s.type->name) + ".raw.blocks"),
                      values = read(std::string(s.type->name) + ".raw.f32");
    const std::string_view bytes(reinterpret_cast<const char*>(s.blocks.data()), s.blocks.size());
    size_t at = 0;
    while (at < blocks.size() && blocks.compare(at, bytes.size(), bytes) != 0) at += bytes.size();
    ASSERT_LT(at, blocks.size()) << s.type->name << ": run golden_blocks.py";
    std::vector<float> w(GoldenSample::kWeights);
    std::memcpy(w.data(), values.data() + at / bytes.size() * sizeof(float) * w.size(),
                sizeof(float) * w.size());
    for (size_t i = 0; i < s.hashes.size(); ++i)
      EXPECT_EQ(hash_of({w.data() + i * GoldenSample::kRun, GoldenSample::kRun}), s.hashes[i])
          << s.type->name;
  }
  EXPECT_EQ(types.size(), quant_types().size());
}

TEST(Lockstep, SecondGetsTheInputsOfTheFirst) {
  ThreadPool pool(1);
  const auto first = need_backend("twin").make({pool, {}}), second = need_backend("exact").make({pool, {}});
  size_t n = 0;
  LockstepOps ops(*first, *second, [&](const LockstepStep& step) {
    ++n;
    EXPECT_EQ(op_name(step.call), "add");
    EXPECT_EQ(step.in.n_rows, 2u);
    for (size_t i = 0; i < step.first.x.size(); ++i) {
      EXPECT_EQ(step.second.x[i], step.in.x[i] + step.in2.x[i]);  // exact, from what twin held
      EXPECT_EQ(step.first.x[i], double(float(step.in.x[i]) + float(step.in2.x[i])));
    }
  });
  const Tensor whole = ops.allocate(3, 5), x = whole.rows(1, 2).cols(2, 2), y = ops.allocate(2, 2);
  const double numbers[] = {0.1, 0.2, 0.3, 0.4};
  ops.write(x, numbers);
  ops.write(y, numbers);
  ops.add({"a"}, x, y);
  ops.add({"b"}, x, y);  // in place: the second continues from the first's results
  EXPECT_EQ(n, 2u);
  EXPECT_EQ(ops.failure(), nullptr);
  float all[15];
  ops.read(whole, all);
  EXPECT_EQ(all[0], 0);
  EXPECT_EQ(all[7], (0.1f + 0.1f) + 0.1f);

  LockstepOps thrown(*first, *second, [](const LockstepStep&) { throw std::bad_alloc(); });
  const Tensor z = thrown.allocate(1, 1);
  thrown.add({"c"}, z, z);
  EXPECT_THROW(std::rethrow_exception(thrown.failure()), std::bad_alloc);
}

TEST(Verify, AModelIsCheckedThroughAllOfIt) {
  ThreadPool pool(2);
  const Model model(
      GgufFile::open(std::filesystem::path(ASSAY_SOURCE_DIR) / "tests/golden/models/tiny/mixtral.gguf"));
  size_t n_checks = 0;
  EXPECT_TRUE(verify_model(model, 7, pool, [&](const Check& check) {
    ++n_checks;
    EXPECT_EQ(check.n_faults, 0u) << check.subject << ": " << check.faults.front();
    EXPECT_GT(check.n_cases, 0u);
    return true;
  }));
  EXPECT_EQ(n_checks, 5u);
}

}  // namespace
}  // namespace assay
