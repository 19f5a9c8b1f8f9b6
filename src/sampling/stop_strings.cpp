#include "sampling/stop_strings.h"

#include <algorithm>
#include <utility>

#include "base/load_error.h"

namespace assay {

StopStrings::Matcher::Matcher(std::string stop) : text(std::move(stop)), border(text.size()) {
  for (size_t i = 1, length = 0; i < text.size(); ++i) {
    while (length > 0 && text[i] != text[length]) length = border[length - 1];
    if (text[i] == text[length]) ++length;
    border[i] = length;
  }
}

void StopStrings::Matcher::advance(char c) noexcept {
  while (n_matched > 0 && text[n_matched] != c) n_matched = border[n_matched - 1];
  if (text[n_matched] == c) ++n_matched;
}

StopStrings::StopStrings(std::vector<std::string> strings) {
  matchers_.reserve(strings.size());
  for (std::string& text : strings) {
    if (text.empty()) throw UsageError("stop: a stop string is empty");
    matchers_.emplace_back(std::move(text));
  }
}

std::string StopStrings::feed(std::string_view piece) {
  if (stopped()) return {};
  size_t n_held = 0;  // of the end of held_, what may become a stop string
  for (const char c : piece) {
    held_ += c;
    n_held = 0;
    for (size_t i = 0; i < matchers_.size(); ++i) {
      Matcher& matcher = matchers_[i];
      matcher.advance(c);
      n_held = std::max(n_held, matcher.n_matched);
      if (matcher.complete() && (!found_ || matcher.text.size() > found()->size())) found_ = i;
    }
    if (found_) {
      held_.resize(held_.size() - found()->size());
      return std::exchange(held_, {});
    }
  }
  if (piece.empty()) return {};
  std::string shown = held_.substr(0, held_.size() - n_held);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopStrings::finish() {
  return stopped() ? std::string() : std::exchange(held_, {});
}

}  // namespace assay
