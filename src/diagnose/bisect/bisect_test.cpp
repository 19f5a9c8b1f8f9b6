// bisect names the operation that was made wrong, and nothing on healthy sides.
#include "diagnose/bisect/bisect.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "base/temporary_folder.h"
#include "diagnose/faults/faulty_engine.h"
#include "diagnose/trace.h"
#include "runtime/backend.h"

namespace assay {
namespace {

std::filesystem::path tiny(const char* name) {
  return std::filesystem::path(ASSAY_SOURCE_DIR) / "tests/golden/models/tiny" / name;
}
std::vector<std::filesystem::path> models() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(tiny("")))
    if (entry.path().extension() == ".gguf" &&
        entry.path().stem().string().find("-layers") == std::string::npos)
      files.push_back(entry.path());  // those of many layers are long and say no more
  std::sort(files.begin(), files.end());
  return files;
}
std::vector<int32_t> some_ids(const Model& model) {
  std::vector<int32_t> ids(12);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = int32_t((i * 37 + i * i) % model.hparams().vocab_size);
  return ids;
}

TEST(Bisect, HealthyBackendsStayWithinTheirBounds) {
  ThreadPool pool(1);
  for (const auto& path : models()) {
    const Model model(GgufFile::open(path));
    for (const KvTypeInfo& kv : kv_types())
      for (const Backend& backend : backends()) {
        if (backend.name == "exact" || model.hparams().head_dim % kv.group != 0) continue;
        const auto fast = backend.make({pool, {}}), exact = need_backend("exact").make({pool, {}});
        fast->load(model.product_weights(), {});
        const BisectReport r =
            bisect_evaluators(model, *fast, *exact, true, kF32Arithmetic, some_ids(model), kv.type);
        EXPECT_FALSE(r.first) << backend.name << " " << path << " " << r.first->op << " " << r.first->name
                              << " " << r.first->where;
        EXPECT_GT(r.n_operations, 0u);
      }
  }
}

/// Which operations a family's faults may be seen in first.
const std::map<FaultFamily, std::set<std::string>> kOps = {
    {FaultFamily::rope, {"rope"}},
    {FaultFamily::attention, {"attention", "linear", "store_kv", "norm"}},
    {FaultFamily::norm, {"norm"}},
    {FaultFamily::ffn, {"activate", "route", "linear", "expert_sum", "add", "scale"}},
    {FaultFamily::head, {"embed", "scale", "soft_cap", "linear", "add", "norm"}},
    {FaultFamily::kv_cache, {"store_kv", "attention", "rope"}},
};

TEST(Bisect, FaultsOfComputationAreFoundInTheirOperation) {
  ThreadPool pool(1);
  size_t n = 0;
  for (const auto& path : models()) {
    const Model model(GgufFile::open(path));
    const std::vector<int32_t> ids = some_ids(model);
    for (const Fault* fault : faults()) {
      if (!std::holds_alternative<OpsFault>(fault->injection)) continue;
      const std::span<const Fault* const> one(&fault, 1);
      FaultyEngine engine(model, pool, one);
      if (!engine.applies()) continue;
      const auto exact = need_backend("exact").make({pool, {}});
      const BisectReport r =
          bisect_evaluators(model, *exact, engine.ops(), false, kF64Arithmetic, ids, KvType::f32);
      if (!r.first) {  // the prompt must be too short for it, or its tokens the wrong ones
        EXPECT_EQ(FaultyEngine(model, pool, one).logits(ids, KvType::f32),
                  FaultyEngine(model, pool).logits(ids, KvType::f32))
            << fault->id << " on " << path;
        continue;
      }
      const auto ops = kOps.find(fault->family);
      if (ops != kOps.end()) {
        EXPECT_TRUE(ops->second.contains(r.first->op)) << fault->id << " on " << path << ": " << r.first->op
                                                       << " " << r.first->name << ": " << r.first->where;
      }
      ++n;
    }
  }
  std::cout << n << " faults found\n";
  EXPECT_GT(n, 0u);
}

TEST(Bisect, TracesOfOurOwnAreHealthyAndOthersAreNot) {
  const TemporaryFolder folder;
  ThreadPool pool(1);
  const Model model(GgufFile::open(std::filesystem::path(ASSAY_SOURCE_DIR) / "models/tales-6m-f16.gguf"));
  const std::vector<int32_t> ids = {1, 300, 400, 500, 600};
  for (const char* backend : {"cpu", "exact"}) {
    const auto ops = need_backend(backend).make({pool, {}});
    ops->load(model.product_weights(), {});
    std::vector<NamedTensor> tensors = trace_tokens(model, *ops, ids, KvType::f32);
    const auto path = folder.path() / "t.safetensors";
    write_safetensors(path, tensors, {});
    const BisectReport healthy = bisect_trace(model, Dump::open(path), pool, ids, KvType::f32);
    EXPECT_FALSE(healthy.first) << backend << " " << healthy.first->name << ": " << healthy.first->where;
    for (NamedTensor& t : tensors)  // one head of one result, from token 2 on, half as large
      if (t.name == "Vcur-3")
        for (size_t i = 2; i < ids.size(); ++i)
          for (size_t c = 0; c < model.hparams().head_dim; ++c)
            t.values[i * t.values.size() / ids.size() + c] *= 0.5f;
    write_safetensors(path, tensors, {});
    const BisectReport faulty = bisect_trace(model, Dump::open(path), pool, ids, KvType::f32);
    ASSERT_TRUE(faulty.first);
    EXPECT_EQ(faulty.first->name, "Vcur-3");
    EXPECT_EQ(faulty.first->pattern.tokens, (std::vector<size_t>{2, 3, 4}));
    EXPECT_EQ(faulty.first->pattern.heads, (std::vector<size_t>{0}));
  }
}

TEST(Pattern, WhatAndWhere) {
  const size_t n_rows = 4, n_cols = 64;
  Values right{n_rows, n_cols, std::vector<double>(n_rows * n_cols)}, allowed = right;
  for (size_t i = 0; i < right.x.size(); ++i) right.x[i] = std::sin(double(i * i + 1)), allowed.x[i] = 1e-9;
  size_t first_token = 0;
  const auto text = [&](auto change) {
    Values found = right;
    for (size_t r = 0; r < n_rows; ++r)
      for (size_t c = 0; c < n_cols; ++c) change(found.x[r * n_cols + c], r, c);
    const ResultPair pair{right, found, allowed, 16, first_token};
    return find_pattern(pair).text(pair);
  };
  const auto at = [&](size_t r, size_t c) { return right.x[r * n_cols + c]; };
  EXPECT_EQ(text([](double&, size_t, size_t) {}), "no error");
  EXPECT_EQ(text([](double& x, size_t, size_t) { x *= 0.25; }),
            "all tokens, all heads: constant factor 0.25 (256 of 256 numbers)");
  EXPECT_EQ(text([](double& x, size_t r, size_t c) {
              if (r > 1 && c / 16 == 2) x = 0;
            }),
            "from token 2 on, head 2, columns 32..47: zeros (32 of 256 numbers)");
  EXPECT_EQ(text([](double& x, size_t, size_t c) { x += double(c + 1); }),
            "all tokens, all heads: the same vector added to every token (256 of 256 numbers)");
  EXPECT_EQ(text([&](double& x, size_t r, size_t c) {
              if (r) x = at(r - 1, c);
            }),
            "from token 1 on, all heads: the row of 1 token before (192 of 256 numbers)");
  EXPECT_EQ(text([&](double& x, size_t r, size_t c) { x = at(r, (c + 63) % 64); }),
            "all tokens, all heads: columns shifted by 1 (256 of 256 numbers)");
  EXPECT_EQ(text([&](double& x, size_t r, size_t c) { x = at(r, c / 2 + c % 2 * 32); }),
            "all tokens, all heads, columns 1..62: permutation: the right numbers in other places (248 of "
            "256 numbers)");
  EXPECT_EQ(text([](double& x, size_t, size_t c) {
              if (c % 16 >= 8) x = x * x + 2;
            }),
            "all tokens, all heads, the second half of each head: no simple relation to the right numbers "
            "(128 of 256 numbers)");
  EXPECT_EQ(text([](double& x, size_t, size_t c) {
              if (c >= 60) x = 0;
            }),
            "all tokens, head 3, the last 4 columns: zeros (16 of 256 numbers)");
  EXPECT_EQ(text([](double& x, size_t r, size_t) { x *= 1 + 0.5 * double(r); }),
            "from token 1 on, all heads: a factor of its own in each row (192 of 256 numbers)");
  first_token = 7;
  EXPECT_EQ(text([](double& x, size_t r, size_t) {
              if (r == 1) x = NAN;
            }),
            "tokens 8, all heads: NaN or infinity (64 of 256 numbers)");
}

TEST(Bisect, SavesInputsForReplay) {
  const TemporaryFolder folder;
  ThreadPool pool(1);
  const Model a(GgufFile::open(models().front()));
  const auto exact = need_backend("exact").make({pool, {}}), other = need_backend("exact").make({pool, {}});
  const std::vector<int32_t> ids = some_ids(a);
  const BisectReport r =
      bisect(a, *exact, *other, false, ids, KvType::f32, [](const LockstepStep& step) -> Judgement {
        Values none{step.first.n_rows, step.first.n_cols, std::vector<double>(step.first.x.size(), -1)};
        if (std::holds_alternative<LinearCall>(step.call)) return {none, "made up"};
        return {{none.n_rows, none.n_cols, std::vector<double>(none.x.size())}, {}};
      });
  EXPECT_FALSE(r.first) << "equal results are never an error";
  Divergence d;
  d.op = "linear", d.name = "Qcur-0";
  d.step.in = {2, 3, {1, 2, 3, 4, 5, 6}};
  d.step.first = d.step.second = d.allowed = {1, 1, {7}};
  save_divergence(d, ids, folder.path() / "replay");
  const Dump saved = Dump::open(folder.path() / "replay/inputs.safetensors");
  EXPECT_EQ(saved.need("in").f32(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(saved.metadata().at("name"), "Qcur-0");
}

}  // namespace
}  // namespace assay
