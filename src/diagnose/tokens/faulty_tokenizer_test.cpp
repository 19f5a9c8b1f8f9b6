// Every fault of tokens and prompts does something, and only where it says so.
#include "diagnose/tokens/faulty_tokenizer.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <set>

#include "diagnose/tokens/subjects.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

/// Names of the subjects on which the fault changes the ids of some probe.
std::set<std::string> changed_by(const Fault& fault, const std::vector<std::unique_ptr<Subject>>& on) {
  std::set<std::string> changed;
  for (const auto& subject : on) {
    const Fault* list[] = {&fault};
    const FaultyTokenizer engine(subject->file, *subject->tokenizer, list);
    if (!engine.applies()) continue;
    for (const PromptSource& probe : subject->probes()) {
      const std::vector<int32_t> healthy = subject->healthy(probe);
      const auto ids = engine.encode(probe, healthy.size() / 2);
      if (!ids || *ids == healthy) continue;
      for (const int32_t id : *ids) {
        EXPECT_GE(id, 0) << fault.id;
        EXPECT_LE(id, subject->tokenizer->vocabulary().n_tokens()) << fault.id;
      }
      changed.insert(subject->name);
      break;
    }
  }
  return changed;
}

TEST(TokenFaults, EachChangesIdsOfSomeVocabulary) {
  size_t n_faults = 0;
  for (const Fault* fault : faults()) {
    if (!changes_ids(*fault)) continue;
    ++n_faults;
    EXPECT_THAT(changed_by(*fault, subjects()), testing::Not(testing::IsEmpty())) << fault->id;
  }
  EXPECT_GE(n_faults, 28u);
}

TEST(TokenFaults, RealVocabularies) {
  const char* given = std::getenv("ASSAY_GOLDEN_DIR");
  const fs::path folder =
      (given ? fs::path(given) : fs::path(ASSAY_SOURCE_DIR) / "../shared/golden") / "vocab";
  if (!fs::exists(folder)) GTEST_SKIP() << "no " << folder << " (ASSAY_GOLDEN_DIR)";
  std::vector<std::unique_ptr<Subject>> real;
  for (const char* name : {"llama-spm", "gpt-2", "bert-bge"})
    real.push_back(std::make_unique<Subject>(folder / ("ggml-vocab-" + std::string(name) + ".gguf")));
  for (const auto& [id, vocabulary] : {std::pair{"newline-as-space", "llama-spm"},
                                       {"space-prefix-missing", "llama-spm"},
                                       {"byte-fallback-dropped", "llama-spm"},
                                       {"scores-ignored", "llama-spm"},
                                       {"longest-match", "gpt-2"},
                                       {"merges-left-to-right", "gpt-2"},
                                       {"pre-tokenizer-llama-3", "gpt-2"},
                                       {"eos-missing", "bert-bge"}})
    EXPECT_THAT(changed_by(need_fault(id), real),
                testing::Contains("ggml-vocab-" + std::string(vocabulary) + ".gguf"))
        << id;
}

TEST(TokenFaults, NoneIsTheHealthyTokenizer) {
  for (const auto& subject : subjects()) {
    const FaultyTokenizer engine(subject->file, *subject->tokenizer, {});
    EXPECT_TRUE(engine.applies());
    for (const PromptSource& probe : subject->probes())
      EXPECT_EQ(engine.encode(probe), subject->healthy(probe)) << subject->name << " " << shown(probe);
  }
}

/// Ids worked out by hand from small_vocabularies.h.
TEST(TokenFaults, DoWhatTheySay) {
  const Subject s("sentencepiece", small_sentencepiece());
  const auto ids = [&](std::vector<const char*> names, const char* text) {
    std::vector<const Fault*> list;
    for (const char* name : names) list.push_back(&need_fault(name));
    return *FaultyTokenizer(s.file, *s.tokenizer, list).encode({text, nullptr});
  };
  const Vocabulary& v = s.tokenizer->vocabulary();
  const int32_t cat = v.find("▁cat"), a = v.find("a"), space_a = v.find("▁a"), newline = v.byte_token('\n');
  EXPECT_EQ(ids({}, "cat\na"), (std::vector<int32_t>{1, cat, newline, a}));
  EXPECT_EQ(ids({"newline-as-space"}, "cat\na"), (std::vector<int32_t>{1, cat, space_a}));
  EXPECT_EQ(ids({"eos-appended"}, "cat"), (std::vector<int32_t>{1, cat, 2}));
  EXPECT_EQ(ids({"newline-as-space", "eos-appended"}, "cat\na"), (std::vector<int32_t>{1, cat, space_a, 2}));
  EXPECT_EQ(ids({"bos-missing"}, "cat"), (std::vector<int32_t>{cat}));
  EXPECT_EQ(ids({"bos-twice"}, "cat"), (std::vector<int32_t>{1, 1, cat}));
  EXPECT_EQ(ids({"eos-for-bos"}, "cat"), (std::vector<int32_t>{2, cat}));
  EXPECT_EQ(ids({"byte-fallback-unknown"}, "cat\na"), (std::vector<int32_t>{1, cat, 0, a}));
  EXPECT_EQ(ids({"byte-fallback-dropped"}, "cat\na"), (std::vector<int32_t>{1, cat, a}));
  EXPECT_EQ(ids({"byte-fallback-value-as-id"}, "cat\na"), (std::vector<int32_t>{1, cat, '\n', a}));
  EXPECT_EQ(ids({"ids-off-by-one"}, "cat"), (std::vector<int32_t>{2, cat + 1}));
  EXPECT_EQ(ids({"utf8-encoded-twice"}, "cat"), (std::vector<int32_t>{1, cat}));
}

}  // namespace
}  // namespace assay
