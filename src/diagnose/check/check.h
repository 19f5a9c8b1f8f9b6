// A publisher's last look at a file: a table of checks.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "diagnose/compare/comparison.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

namespace assay {

enum class CheckStatus : uint8_t { ok, warning, fault, skipped };
std::string_view status_name(CheckStatus status) noexcept;

/// What a check found. The status is that of the worst sentence; skipped when the only one says why.
struct CheckResult {
  CheckStatus status = CheckStatus::ok;
  std::vector<std::string> sentences;

  void say(CheckStatus how, std::string sentence);
  static CheckResult skip(std::string why) { return {CheckStatus::skipped, {std::move(why)}}; }
};

/// What one expert of a tensor (or all of one without experts) holds.
struct ValueSums {
  uint64_t n_values = 0, n_nan = 0, n_inf = 0, n_zero = 0, n_negative = 0, n_below_minus_one = 0;
  double sum = 0, squares = 0, largest = 0;  // of the finite values
  double rms() const;
};

/// What the checks look at; made once. A part that could not be made is null, and its error says why.
struct CheckSubject {
  const GgufFile* file = nullptr;
  const Tokenizer* tokenizer = nullptr;
  const Model* model = nullptr;
  std::string tokenizer_error, model_error;
  std::vector<std::vector<ValueSums>> values;  // of every tensor, by expert
  const GgufFile* source = nullptr;
  const Comparison* comparison = nullptr;  // of the file with the source as anchor
  std::string comparison_error;
};

/// One check. Adding one is a function and a line in checks.inc.
struct Check {
  std::string_view name, what;
  CheckResult (*run)(const CheckSubject& subject);
};
std::vector<const Check*> checks();

struct CheckOptions {
  std::filesystem::path file, source;  // source: what the file was quantized from; may be empty
  size_t n_threads = 0, n_tokens = 256;
  /// Steps done and in all, and what is being done; false stops.
  std::function<bool(size_t done, size_t total, std::string_view what)> progress;
};

struct CheckReport {
  std::string path, source;
  std::vector<std::pair<std::string, std::string>> sha256;  // of every part: path, hex digits
  uint64_t n_bytes = 0;
  std::string types;  // "Q4_K 37, F32 13"
  struct Entry {
    std::string_view name, what;
    CheckResult result;
  };
  std::vector<Entry> entries;
  std::optional<Comparison> comparison;

  CheckStatus status() const;  // the worst of the entries
};

/// Runs every check. A file that does not open is a report with one fault. Throws UsageError (no such file),
/// MachineError, and Stopped.
CheckReport check_file(const CheckOptions& options);

}  // namespace assay
