#include "jinja/text.h"

#include <algorithm>
#include <utility>

namespace assay::jinja {

Text::Text(std::string bytes, bool from_data) : bytes_(std::move(bytes)) {
  if (!bytes_.empty()) runs_.push_back({bytes_.size(), from_data});
}

bool Text::from_data_at(size_t offset) const {
  const auto run = std::upper_bound(runs_.begin(), runs_.end(), offset,
                                    [](size_t at, const Run& r) { return at < r.end; });
  return run != runs_.end() && run->from_data;
}

void Text::append(std::string_view bytes, bool from_data) {
  if (bytes.empty()) return;
  bytes_ += bytes;
  if (!runs_.empty() && runs_.back().from_data == from_data)
    runs_.back().end = bytes_.size();
  else
    runs_.push_back({bytes_.size(), from_data});
}

void Text::append(const Text& other, size_t begin, size_t end) {
  if (&other == this) return append(Text(other), begin, end);
  const auto first = std::upper_bound(other.runs_.begin(), other.runs_.end(), begin,
                                      [](size_t at, const Run& r) { return at < r.end; });
  for (auto run = first; run != other.runs_.end() && begin < end; ++run) {
    const size_t run_end = std::min(run->end, end);
    append(std::string_view(other.bytes_).substr(begin, run_end - begin), run->from_data);
    begin = run_end;
  }
}

Text Text::slice(size_t begin, size_t end) const {
  Text part;
  part.append(*this, begin, end);
  return part;
}

std::vector<Segment> Text::segments() const {
  std::vector<Segment> out;
  size_t begin = 0;
  for (const Run& run : runs_) {
    out.push_back({bytes_.substr(begin, run.end - begin), run.from_data});
    begin = run.end;
  }
  return out;
}

}  // namespace assay::jinja
