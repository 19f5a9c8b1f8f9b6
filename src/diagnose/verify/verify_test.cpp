// verify's own checks: healthy kernels pass, whatever the seed; faulty ones do not.
#include "diagnose/verify/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
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

// The bounds are loose by nature, but no formula that is wrong fits in them.
TEST(Bounds, CatchWhatIsNoRounding) {
  const std::set<std::string_view> rounding = {
      "unfused",        "blocks-backwards", "columns-backwards", "half-up",     "step-not-rounded",
      "step-truncated", "one-lane",         "other-exp",         "step-in-f16", "softmax-without-max",
      "step-of-128",    "truncated"};  // the last two: less than half a step of each activation
  // No kernel that reads them, or no input that exact is asked about.
  const std::set<std::string_view> silent = {"clamp-at-minus-128", "nan-swallowed",   "nan-rounded-away",
                                             "sums-of-fifteen",    "wide-sums-stale", "sum-of-half",
                                             "minus-sum-ignored"};
  ThreadPool pool(1);
  std::vector<KernelCase> cases = make_kernel_cases(4, pool);
  const cpu::KernelSet& set = cpu::best_kernel_set();
  size_t n = 0, n_rounding = 0;
  for (const KernelMutant& m : kernel_mutants(set)) {
    if (silent.contains(m.fault->id)) continue;
    if (m.type && m.type->name != "Q4_K" && m.type->name != "Q8_0" && m.type->name != "F16") continue;
    const bool caught = leaves_bound(m, cases, pool);
    if (rounding.contains(m.fault->id)) {
      n_rounding += caught;
      continue;
    }
    EXPECT_TRUE(caught) << m.name() << " stays within the bound";
    ++n;
  }
  std::cout << n << " faults outside, and " << n_rounding << " that only round\n";
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
