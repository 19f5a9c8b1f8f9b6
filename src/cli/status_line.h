// What a long command is doing, on one line of standard error.
#pragma once
#include <string_view>

namespace assay::cli {

/// Nothing where standard error is no terminal; gone at the end.
class StatusLine {
 public:
  StatusLine() = default;
  ~StatusLine();
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;
  void show(std::string_view text);

 private:
  bool shown_ = false;
};

}  // namespace assay::cli
