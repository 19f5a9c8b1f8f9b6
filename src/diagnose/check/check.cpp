#include "diagnose/check/check.h"

#include <algorithm>
#include <cmath>

#include "base/mapped_file.h"
#include "diagnose/check/sha256.h"
#include "diagnose/compare/compare.h"
#include "diagnose/compare/file_facts.h"
#include "quantize/quantizer.h"

namespace assay {

#define CHECK(name) extern const Check check_##name;
#include "diagnose/check/checks.inc"
#undef CHECK

std::vector<const Check*> checks() {
  return {
#define CHECK(name) &check_##name,
#include "diagnose/check/checks.inc"
#undef CHECK
  };
}

std::string_view status_name(CheckStatus status) noexcept {
  constexpr std::string_view kNames[] = {"ok", "warning", "fault", "skipped"};
  return kNames[size_t(status)];
}

void CheckResult::say(CheckStatus how, std::string sentence) {
  if (how != CheckStatus::skipped) status = std::max(status, how);
  sentences.push_back(std::move(sentence));
}

double ValueSums::rms() const {
  const uint64_t n_finite = n_values - n_nan - n_inf;
  return n_finite > 0 ? std::sqrt(squares / double(n_finite)) : 0;
}

CheckStatus CheckReport::status() const {
  CheckStatus worst = CheckStatus::ok;
  for (const Entry& entry : entries)
    if (entry.result.status != CheckStatus::skipped) worst = std::max(worst, entry.result.status);
  return worst;
}

namespace {

/// Every block decoded. Rows are what the threads share.
std::vector<ValueSums> sum_values(const GgufFile& file, const TensorInfo& tensor, ThreadPool& pool) {
  const uint64_t n_rows = tensor.n_rows(), n_cols = tensor.n_cols();
  const size_t n_blocks = n_cols / tensor.type->block_elems, row_bytes = n_blocks * tensor.type->block_bytes;
  std::vector<ValueSums> rows(n_rows);
  pool.run(n_rows, [&](size_t row) {
    std::vector<float> values(n_cols);
    tensor.type->dequantize(file.data(tensor).data() + row * row_bytes, n_blocks, values.data());
    ValueSums& s = rows[row];
    s.n_values = n_cols;
    for (const float value : values) {
      const double x = double(value);
      s.n_nan += std::isnan(x);
      s.n_inf += std::isinf(x);
      if (!std::isfinite(x)) continue;
      s.n_zero += x == 0;
      s.n_negative += x < 0;
      s.n_below_minus_one += x < -1;
      s.sum += x;
      s.squares += x * x;
      s.largest = std::max(s.largest, std::abs(x));
    }
  });
  const uint64_t n_experts = tensor.dims[2] * tensor.dims[3], rows_each = n_rows / n_experts;
  std::vector<ValueSums> experts(n_experts);
  for (uint64_t row = 0; row < n_rows; ++row) {
    ValueSums& s = experts[row / rows_each];
    const ValueSums& r = rows[row];
    s.n_values += r.n_values, s.n_nan += r.n_nan, s.n_inf += r.n_inf, s.n_zero += r.n_zero,
        s.n_negative += r.n_negative;
    s.n_below_minus_one += r.n_below_minus_one;
    s.sum += r.sum, s.squares += r.squares;
    s.largest = std::max(s.largest, r.largest);
  }
  return experts;
}

}  // namespace

CheckReport check_file(const CheckOptions& o) {
  size_t n_done = 0, n_steps = 1;
  const auto step = [&](std::string_view what) {
    if (o.progress && !o.progress(std::min(++n_done, n_steps), n_steps, what)) throw Stopped("stopped");
  };
  CheckReport report;
  report.path = o.file.string();
  report.source = o.source.string();
  std::optional<GgufFile> file;
  step("opening");
  try {
    file.emplace(GgufFile::open(o.file));
  } catch (const LoadError& error) {
    CheckResult result;
    result.say(CheckStatus::fault, error.what());
    report.entries.push_back({checks().front()->name, checks().front()->what, std::move(result)});
    return report;
  }
  n_steps += file->n_parts() + file->tensors().size() + checks().size();
  report.n_bytes = file->n_bytes();
  report.types = type_mix(*file);
  for (uint32_t part = 0; part < file->n_parts(); ++part) {
    step("SHA-256");
    const MappedFile map = MappedFile::open(file->path(part));
    report.sha256.emplace_back(file->path(part), sha256_hex(map.bytes()));
  }

  ThreadPool pool(o.n_threads == 0 ? ThreadPool::default_threads() : o.n_threads);
  CheckSubject subject;
  subject.file = &*file;
  for (const TensorInfo& tensor : file->tensors()) {
    step("decoding " + std::string(tensor.name));
    subject.values.push_back(sum_values(*file, tensor, pool));
  }
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Model> model;
  try {
    tokenizer = make_tokenizer(file->metadata());
    subject.tokenizer = tokenizer.get();
  } catch (const LoadError& error) {
    subject.tokenizer_error = error.what();
  }
  try {
    model = std::make_unique<Model>(GgufFile::open(o.file));
    subject.model = model.get();
  } catch (const LoadError& error) {
    subject.model_error = error.what();
  }
  std::optional<GgufFile> source;
  if (!o.source.empty()) {
    source.emplace(GgufFile::open(o.source));
    subject.source = &*source;
    try {
      CompareOptions compared;
      compared.files = {o.file};
      compared.anchor = o.source;
      compared.n_threads = o.n_threads;
      compared.n_tokens = o.n_tokens;
      compared.progress = [&](size_t done, size_t total, std::string_view what) {
        return !o.progress || o.progress(n_done + done, n_steps + total, what);
      };
      report.comparison = compare(compared);
      subject.comparison = &*report.comparison;
    } catch (const LoadError& error) {
      subject.comparison_error = error.what();
    } catch (const UsageError& error) {
      subject.comparison_error = error.what();
    }
  }
  for (const Check* check : checks()) {
    step(check->name);
    report.entries.push_back({check->name, check->what, check->run(subject)});
  }
  return report;
}

}  // namespace assay
