// Text that remembers which of its bytes came from the caller's data.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace assay::jinja {

/// A piece of rendered text. `from_data`: it came from the context, not from the template, so nothing in it
/// may be taken for a special token. Whether to look for special tokens is all that the flag decides: text
/// between two special tokens is tokenized as one, across pieces.
struct Segment {
  std::string text;
  bool from_data = false;
  bool operator==(const Segment&) const = default;
};

/// UTF-8 bytes and, for each run of them, whether they came from data.
class Text {
 public:
  Text() = default;
  explicit Text(std::string bytes, bool from_data = false);

  const std::string& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  /// The flag of the run that holds byte `offset`; false past the end.
  bool from_data_at(size_t offset) const;

  void append(std::string_view bytes, bool from_data = false);
  void append(const Text& other) { append(other, 0, other.size()); }
  /// Appends bytes [begin, end) of `other` with their flags; begin <= end <= other.size(). `other` may be
  /// *this.
  void append(const Text& other, size_t begin, size_t end);
  Text slice(size_t begin, size_t end) const;
  std::vector<Segment> segments() const;

  /// Set by the filters safe and escape: `+` then HTML-escapes what it is joined with, as Markup does in
  /// Python. Lost by everything else that makes a new text.
  bool is_markup = false;

 private:
  struct Run {
    size_t end;
    bool from_data;
  };
  std::string bytes_;
  std::vector<Run> runs_;  // cover bytes_; neighbours differ in from_data
};

}  // namespace assay::jinja
