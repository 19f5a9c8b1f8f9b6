#include "runtime/chat_prompt.h"

namespace assay {
namespace {

constexpr const char* kTemplateKey = "tokenizer.chat_template";

/// The names of special tokens in Hugging Face's templates.
nlohmann::ordered_json special_tokens(const Vocabulary& v) {
  nlohmann::ordered_json names = nlohmann::ordered_json::object();
  const auto add = [&](const char* name, int32_t id) {
    names[name] = id == kNoToken ? std::string_view() : v.tokens[size_t(id)].text;
  };
  add("bos_token", v.special.bos);
  add("eos_token", v.special.eos);
  add("unk_token", v.special.unk);
  add("pad_token", v.special.pad);
  return names;
}

}  // namespace

ChatTemplate::ChatTemplate(jinja::Template parsed, std::string name, const Tokenizer& tokenizer)
    : template_(std::move(parsed)), name_(std::move(name)), tokenizer_(tokenizer) {}

ChatTemplate ChatTemplate::of_file(const GgufFile& file, const Tokenizer& tokenizer) {
  const auto source = file.metadata().find_string(kTemplateKey);
  if (!source) throw UsageError(printable(file.path(), 1000) + ": has no chat template");
  try {
    return {jinja::Template::parse(std::string(*source)), printable(file.path(), 1000) + ": " + kTemplateKey,
            tokenizer};
  } catch (const jinja::TemplateError& error) {
    throw BadValue(file.metadata().place(kTemplateKey), printable(error.what(), 1000));
  }
}

ChatTemplate ChatTemplate::of_source(const std::string& source, const std::string& name,
                                     const Tokenizer& tokenizer) {
  try {
    return {jinja::Template::parse(source), name, tokenizer};
  } catch (const jinja::TemplateError& error) {
    throw UsageError(name + ": " + printable(error.what(), 1000));
  }
}

std::vector<jinja::Segment> ChatTemplate::write(const nlohmann::ordered_json& variables,
                                                const std::tm& now) const {
  nlohmann::ordered_json context{{"add_generation_prompt", true}};
  context.update(variables);
  jinja::RenderOptions options;
  options.now = now;
  options.trusted_variables = special_tokens(tokenizer_.vocabulary());
  options.trusted_words = {"system", "user", "assistant", "tool", "developer", "model"};
  try {
    return template_.render_segments(context, options);
  } catch (const jinja::TemplateError& error) {
    throw UsageError(name_ + ": " + printable(error.what(), 1000));
  }
}

ChatPrompt ChatTemplate::render(const nlohmann::ordered_json& variables, const std::tm& now) const {
  const std::vector<jinja::Segment> rendered = write(variables, now);
  ChatPrompt prompt;
  std::vector<Segment> segments;
  for (const jinja::Segment& s : rendered) {
    prompt.text += s.text;
    segments.push_back({s.text, !s.from_data});
  }
  // Many templates write the BOS themselves: it is not added a second time.
  prompt.ids = tokenizer_.encode_segments(segments, {.add_bos = false, .add_eos = false});
  const Vocabulary& v = tokenizer_.vocabulary();
  const bool starts_with_bos = !prompt.ids.empty() && prompt.ids.front() == v.special.bos;
  if (v.add_bos && v.special.bos != kNoToken && !starts_with_bos)
    prompt.ids.insert(prompt.ids.begin(), v.special.bos);
  return prompt;
}

}  // namespace assay
