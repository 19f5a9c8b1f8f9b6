// For tests: vocabularies of every kind, with what they are asked.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "diagnose/tokens/probes.h"
#include "tokenizer/small_vocabularies.h"

namespace assay {

/// As ChatML with a BOS and a trimmed answer: everything that faults of prompts touch.
inline constexpr const char* kSubjectTemplate =
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n {{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant:\n{% endif %}";

/// A vocabulary, from a file or made here.
struct Subject {
  std::string name;
  std::vector<std::byte> bytes;  // of a file made here
  GgufFile file;
  std::unique_ptr<Tokenizer> tokenizer;

  explicit Subject(const std::filesystem::path& path)
      : name(path.filename().string()),
        file(GgufFile::open(path)),
        tokenizer(make_tokenizer(file.metadata())) {}
  Subject(std::string n, const VocabularyFile& made)
      : name(std::move(n)),
        bytes([&] {
          GgufWriter writer = made.writer();
          writer.add("tokenizer.chat_template", std::string_view(kSubjectTemplate));
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

inline std::vector<std::unique_ptr<Subject>> small_subjects() {
  std::vector<std::unique_ptr<Subject>> all;
  const auto add = [&](const char* name, VocabularyFile made) {
    made.rules.try_emplace("add_bos_token",
                           made.model == "llama");  // where a file does not say, both are right
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

inline const std::vector<std::unique_ptr<Subject>>& subjects() {
  static const std::vector<std::unique_ptr<Subject>> all = [] {
    std::vector<std::unique_ptr<Subject>> list = small_subjects();
    const std::filesystem::path source(ASSAY_SOURCE_DIR);
    list.push_back(std::make_unique<Subject>(source / "models/tales-6m-f16.gguf"));
    list.push_back(std::make_unique<Subject>(source / "tests/golden/models/qwen3-Q4_K_M/model.gguf"));
    return list;
  }();
  return all;
}

}  // namespace assay
