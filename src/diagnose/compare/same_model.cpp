#include "diagnose/compare/same_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "runtime/chat_prompt.h"

namespace assay {
namespace {

/// Whole numbers of any width as one alternative, where they fit.
std::optional<int64_t> as_integer(const Value& value) {
  if (const auto* u = std::get_if<uint64_t>(&value.data); u && *u <= INT64_MAX) return int64_t(*u);
  if (const auto* i = std::get_if<int64_t>(&value.data)) return *i;
  return std::nullopt;
}

bool equal(const Value& a, const Value& b);

bool equal(const Array& a, const Array& b) {
  if (a.n_elements != b.n_elements) return false;
  if (a.element_type == b.element_type)
    return std::equal(a.numbers.begin(), a.numbers.end(), b.numbers.begin(), b.numbers.end()) &&
           a.strings == b.strings &&
           std::equal(a.arrays.begin(), a.arrays.end(), b.arrays.begin(), b.arrays.end(),
                      [](const Array& x, const Array& y) { return equal(x, y); });
  if (a.numbers.empty() || b.numbers.empty()) return false;
  for (uint64_t i = 0; i < a.n_elements; ++i)
    if (!equal(number_at(a, i), number_at(b, i))) return false;
  return true;
}

bool equal(const Value& a, const Value& b) {
  if (const auto x = as_integer(a), y = as_integer(b); x && y) return *x == *y;
  if (a.data.index() != b.data.index()) return false;
  if (const auto* array = std::get_if<Array>(&a.data)) return equal(*array, std::get<Array>(b.data));
  if (const auto* text = std::get_if<std::string_view>(&a.data))
    return *text == std::get<std::string_view>(b.data);
  if (const auto* number = std::get_if<double>(&a.data)) return *number == std::get<double>(b.data);
  if (const auto* flag = std::get_if<bool>(&a.data)) return *flag == std::get<bool>(b.data);
  return std::get<uint64_t>(a.data) == std::get<uint64_t>(b.data);
}

std::string show(const Value& value) {
  if (const auto* u = std::get_if<uint64_t>(&value.data)) return std::to_string(*u);
  if (const auto* i = std::get_if<int64_t>(&value.data)) return std::to_string(*i);
  if (const auto* d = std::get_if<double>(&value.data)) return fmt::format("{:g}", *d);
  if (const auto* b = std::get_if<bool>(&value.data)) return *b ? "true" : "false";
  if (const auto* s = std::get_if<std::string_view>(&value.data)) return '"' + printable(*s, 40) + '"';
  return fmt::format("{} values", std::get<Array>(value.data).n_elements);
}

/// In words, where two values of a key differ.
std::string show_difference(const Value& a, const Value& b) {
  const auto* x = std::get_if<Array>(&a.data);
  const auto* y = std::get_if<Array>(&b.data);
  if (!x || !y || x->n_elements != y->n_elements)
    return fmt::format("{} where the anchor has {}", show(b), show(a));
  if (!x->strings.empty() && !y->strings.empty())
    for (size_t i = 0; i < x->strings.size(); ++i)
      if (x->strings[i] != y->strings[i])
        return fmt::format("\"{}\" at {} where the anchor has \"{}\"", printable(y->strings[i], 40), i,
                           printable(x->strings[i], 40));
  if (!x->numbers.empty() && !y->numbers.empty())
    for (uint64_t i = 0; i < x->n_elements; ++i)
      if (const Value p = number_at(*x, i), q = number_at(*y, i); !equal(p, q))
        return fmt::format("{} at {} where the anchor has {}", show(q), i, show(p));
  return "other values than the anchor";
}

/// What the file's template makes of a conversation; nullopt when it has none, or it does not render.
std::optional<std::string> render(const GgufFile& file, const Tokenizer& tokenizer) {
  std::tm day{};
  day.tm_mday = 1;
  day.tm_year = 100;  // any, the same for both
  try {
    return ChatTemplate::of_file(file, tokenizer)
        .render({{"messages",
                  {{{"role", "user"}, {"content", "1"}},
                   {{"role", "assistant"}, {"content", "2"}},
                   {{"role", "user"}, {"content", "3"}}}}},
                day)
        .text;
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

}  // namespace

Disagreements compare_metadata(const GgufFile& anchor, const Tokenizer& anchor_tokenizer,
                               const GgufFile& file, const Tokenizer& tokenizer) {
  constexpr std::string_view kArchitecture = "general.architecture", kTemplate = "tokenizer.chat_template";
  Disagreements d;
  const Metadata &ours = anchor.metadata(), &theirs = file.metadata();
  const std::string prefix = std::string(ours.find_string(kArchitecture).value_or("")) + ".";
  const auto counts = [&](std::string_view key) {
    return key == kArchitecture || key.starts_with("tokenizer.") || key.starts_with(prefix);
  };
  for (const auto& [key, value] : ours.pairs()) {
    if (!counts(key)) continue;
    const Value* const other = theirs.find(key);
    if (!other) {
      d.notes.push_back(fmt::format("only the anchor has {}", printable(key)));
    } else if (!equal(value, *other)) {
      std::string text = fmt::format("{} is {}", printable(key), show_difference(value, *other));
      const bool harmless = key == kTemplate && render(anchor, anchor_tokenizer) == render(file, tokenizer);
      (harmless ? d.notes : d.faults).push_back(std::move(text));
    }
  }
  for (const auto& [key, value] : theirs.pairs())
    if (counts(key) && !ours.find(key))
      d.notes.push_back(fmt::format("the anchor has no {}", printable(key)));

  // A tied output may be stored or not: then it is judged by the embeddings.
  for (const TensorInfo& tensor : anchor.tensors())
    if (!file.find(tensor.name) && tensor.name != "output.weight")
      d.faults.push_back(fmt::format("has no tensor {}", printable(tensor.name)));
  for (const TensorInfo& tensor : file.tensors())
    if (!anchor.find(tensor.name) && tensor.name != "output.weight")
      d.faults.push_back(fmt::format("has a tensor {}, the anchor none", printable(tensor.name)));
  return d;
}

std::string first_difference(const Tokenizer& tokenizer, const std::vector<int32_t>& anchor,
                             const std::vector<int32_t>& ids) {
  const auto show = [&](const std::vector<int32_t>& list, size_t at) {
    if (at >= list.size()) return std::string("nothing");
    if (list[at] < 0 || list[at] >= tokenizer.vocabulary().n_tokens())
      return fmt::format("{}, no token", list[at]);
    return fmt::format("{} \"{}\"", list[at], printable(tokenizer.piece(list[at]), 40));
  };
  const size_t n = std::max(anchor.size(), ids.size());
  for (size_t i = 0; i < n; ++i)
    if (i >= anchor.size() || i >= ids.size() || anchor[i] != ids[i])
      return fmt::format("position {} has {} where the anchor has {}", i, show(ids, i), show(anchor, i));
  return {};
}

}  // namespace assay
