#include "diagnose/faults/prompt_text.h"

#include "runtime/chat_prompt.h"

namespace assay {
namespace {

/// The date that templates show. One day for every run: both sides of a comparison must see the same.
std::tm fixed_day() {
  std::tm day{};
  day.tm_year = 125, day.tm_mday = 1, day.tm_wday = 3;  // Wednesday, 1 January 2025
  return day;
}

PromptText write(const ChatTemplate& chat_template, const nlohmann::ordered_json& chat) {
  PromptText prompt{.parts = {}, .chat = true};
  for (jinja::Segment& segment : chat_template.write(chat, fixed_day()))
    prompt.parts.push_back({std::move(segment.text), !segment.from_data});
  return prompt;
}

}  // namespace

std::string PromptText::text() const {
  std::string all;
  for (const Part& part : parts) all += part.text;
  return all;
}

PromptText write_prompt(const GgufFile& file, const Tokenizer& tokenizer, const PromptSource& source) {
  if (source.chat.is_null()) return {.parts = {{source.text, true}}, .chat = false};
  return write(ChatTemplate::of_file(file, tokenizer), source.chat);
}

PromptText write_prompt_by(const std::string& template_source, const Tokenizer& tokenizer,
                           const nlohmann::ordered_json& chat) {
  return write(ChatTemplate::of_source(template_source, "template", tokenizer), chat);
}

std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const PromptText& prompt) {
  std::vector<Segment> segments;
  for (const PromptText::Part& part : prompt.parts) segments.push_back({part.text, part.parse_special});
  if (!prompt.chat) return tokenizer.encode_segments(segments);
  std::vector<int32_t> ids = tokenizer.encode_segments(segments, {.add_bos = false, .add_eos = false});
  const Vocabulary& v = tokenizer.vocabulary();
  const bool starts_with_bos = !ids.empty() && ids.front() == v.special.bos;
  if (v.add_bos && v.special.bos != kNoToken && !starts_with_bos) ids.insert(ids.begin(), v.special.bos);
  return ids;
}

}  // namespace assay
