// Every fault of computation does something where it says that it applies, and applies somewhere.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <set>

#include "diagnose/faults/faulty_engine.h"

namespace assay {
namespace {

std::vector<std::filesystem::path> model_files() {
  const std::filesystem::path source = ASSAY_SOURCE_DIR;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(source / "tests/golden/models/tiny"))
    if (entry.path().extension() == ".gguf") files.push_back(entry.path());
  files.push_back(source / "tests/golden/models/qwen3-Q4_K_M/model.gguf");  // an epsilon of 1e-6
  if (const char* more = std::getenv("ASSAY_GOLDEN_DIR"))
    for (const auto& entry : std::filesystem::directory_iterator(more))
      if (entry.path().filename().string().ends_with("-F16")) files.push_back(entry.path() / "model.gguf");
  std::sort(files.begin(), files.end());
  return files;
}

bool is_computation(const Fault& fault) {
  return std::holds_alternative<OpsFault>(fault.injection);
}

TEST(OpsFaults, ChangeLogitsWhereTheyApply) {
  std::set<std::string_view> applied;
  ThreadPool pool(1);
  for (const std::filesystem::path& path : model_files()) {
    const Model model(GgufFile::open(path));
    const auto id = [&, n = int32_t(model.hparams().vocab_size)](int32_t i) { return (i * 37 + i * i) % n; };
    std::vector<int32_t> ids(12);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = id(int32_t(i));
    std::vector<int32_t> long_ids(20);
    for (size_t i = 0; i < long_ids.size(); ++i) long_ids[i] = id(int32_t(i));
    const std::vector<float> healthy = FaultyEngine(model, pool).logits(ids, KvType::f32);
    const std::vector<float> long_healthy = FaultyEngine(model, pool).logits(long_ids, KvType::f32);
    for (const Fault* fault : faults()) {
      if (!is_computation(*fault)) continue;
      FaultyEngine engine(model, pool, {&fault, 1});
      if (!engine.applies()) continue;
      applied.insert(fault->id);
      if (engine.logits(ids, KvType::f32) != healthy) continue;
      FaultyEngine again(model, pool, {&fault, 1});
      EXPECT_NE(again.logits(long_ids, KvType::f32), long_healthy) << fault->id << " on " << path;
    }
  }
  for (const Fault* fault : faults()) {
    if (is_computation(*fault)) {
      EXPECT_TRUE(applied.contains(fault->id)) << fault->id << " applies to no model";
    }
  }
}

}  // namespace
}  // namespace assay
