// Every fault of tokens and prompts does something, and only where it says so.
#include "diagnose/tokens/faulty_tokenizer.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <set>

#include "diagnose/tokens/probes.h"
#include "tokenizer/small_vocabularies.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

/// As ChatML with a BOS and a trimmed answer: everything that faults of prompts touch.
constexpr const char* kTemplate =
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n {{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant:\n{% endif %}";

/// A vocabulary, from a file or made here.
struct Subject {
  std::string name;
  std::vector<std::byte> bytes;  // of a file made here
  GgufFile file;
  std::unique_ptr<Tokenizer> tokenizer;

  explicit Subject(const fs::path& path)
      : name(path.filename().string()),
        file(GgufFile::open(path)),
        tokenizer(make_tokenizer(file.metadata())) {}
  Subject(std::string n, const VocabularyFile& made)
      : name(std::move(n)),
        bytes([&] {
          GgufWriter writer = made.writer();
          writer.add("tokenizer.chat_template", std::string_view(kTemplate));
          return writer.to_bytes();
        }()),
        file(GgufFile::parse(bytes, name)),
        tokenizer(make_tokenizer(file.metadata())) {}

  std::vector<PromptSource> probes() const {
    std::vector<PromptSource> all = probe_texts(*tokenizer);
    if (file.metadata().contains("tokenizer.chat_template"))
      for (PromptSource& talk : probe_conversations()) all.push_back(std::move(talk));
    return all;
  }
  std::vector<int32_t> healthy(const PromptSource& source) const {
    return encode_prompt(*tokenizer, write_prompt(file, *tokenizer, source));
  }
};

std::vector<std::unique_ptr<Subject>> small_subjects() {
  std::vector<std::unique_ptr<Subject>> all;
  const auto add = [&](const char* name, const VocabularyFile& made) {
    all.push_back(std::make_unique<Subject>(name, made));
  };
  VocabularyFile sentencepiece = small_sentencepiece();
  add("sentencepiece", sentencepiece);
  sentencepiece.rules["add_space_prefix"] = false;
  sentencepiece.rules["add_bos_token"] = false;
  sentencepiece.name = "phi-3";
  add("sentencepiece without prefix, stripping", sentencepiece);
  VocabularyFile llama3 = small_bpe("llama-bpe");
  llama3.add("Ġworld");  // reached by looking whole words up, not by merges
  llama3.merges.insert(llama3.merges.begin(), "t h"),
      llama3.add("th");                                // first of the merges, last of the ids
  llama3.merges.push_back("f Ã©"), llama3.add("fÃ©");  // a merge of ASCII and other letters
  add("bpe, llama 3's rules", llama3);
  add("bpe, qwen 2's rules", small_bpe("qwen2"));
  add("bpe, starcoder's rules", small_bpe("starcoder"));
  add("wordpiece", small_wordpiece());
  return all;
}

const std::vector<std::unique_ptr<Subject>>& subjects() {
  static const std::vector<std::unique_ptr<Subject>> all = [] {
    std::vector<std::unique_ptr<Subject>> list = small_subjects();
    const fs::path source(ASSAY_SOURCE_DIR);
    list.push_back(std::make_unique<Subject>(source / "models/tales-6m-f16.gguf"));
    list.push_back(std::make_unique<Subject>(source / "tests/golden/models/qwen3-Q4_K_M/model.gguf"));
    return list;
  }();
  return all;
}

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
