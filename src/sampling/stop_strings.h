// Ends a streamed text before any of a set of strings, wherever the token borders fall.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

/// Holds back the end of the text while it may become a stop string. What it lets through, in all, is the
/// text up to the stop string that is complete first (of several complete at one byte, the longest), however
/// the text was cut into pieces.
class StopStrings {
 public:
  /// Throws UsageError when a string is empty. None at all lets everything through.
  explicit StopStrings(std::vector<std::string> strings);

  /// Takes the next piece of the text (any bytes) and returns what may be shown now. Nothing once stopped().
  /// Time: linear in the text, for each stop string.
  std::string feed(std::string_view piece);
  /// The text ends here: what was held back. Nothing once stopped().
  std::string finish();

  bool stopped() const noexcept { return found_.has_value(); }
  /// The string that ended the text, or null. Valid while this object lives and stays where it is.
  const std::string* found() const noexcept { return found_ ? &matchers_[*found_].text : nullptr; }

 private:
  struct Matcher {  // Knuth, Morris and Pratt's
    explicit Matcher(std::string text);
    void advance(char c) noexcept;
    bool complete() const noexcept { return n_matched == text.size(); }
    std::string text;
    std::vector<size_t>
        border;            // of each prefix but the empty one: its longest proper prefix that is also its end
    size_t n_matched = 0;  // the longest prefix of `text` that the stream ends with
  };
  std::vector<Matcher> matchers_;
  std::string held_;
  std::optional<size_t> found_;
};

}  // namespace assay
