#include "quantize/quantizer.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <string_view>
#include <utility>

#include "base/positioned_file.h"
#include "gguf/split.h"
#include "gguf/writer.h"

namespace assay {
namespace {

constexpr uint32_t kQuantizationVersion = 2;  // GGML_QNT_VERSION
constexpr std::string_view kFileTypeKey = "general.file_type",
                           kQuantizationVersionKey = "general.quantization_version";
constexpr std::string_view kImatrixFileKey = "quantize.imatrix.file",
                           kImatrixDatasetKey = "quantize.imatrix.dataset",
                           kImatrixEntriesKey = "quantize.imatrix.entries_count",
                           kImatrixChunksKey = "quantize.imatrix.chunks_count";

bool is_split_key(std::string_view key) {
  return key == kSplitNoKey || key == kSplitCountKey || key == kSplitTensorsKey;
}

/// The input's pairs in their order, those that quantizing sets in their old places or at the end.
void add_metadata(GgufWriter& writer, const Metadata& metadata, const QuantizeOptions& options) {
  std::vector<std::pair<std::string_view, Value>> set = {
      {kQuantizationVersionKey, {.type = GgufType::u32, .data = uint64_t(kQuantizationVersion)}},
      {kFileTypeKey, {.type = GgufType::u32, .data = uint64_t(options.file_type)}}};
  const auto is_old_imatrix = [&](std::string_view key) {
    return options.imatrix && (key == kImatrixDatasetKey || key == kImatrixChunksKey);
  };
  if (const Imatrix* imatrix = options.imatrix) {
    set.emplace_back(kImatrixFileKey,
                     Value{.type = GgufType::string, .data = std::string_view(options.imatrix_path)});
    if (!imatrix->datasets.empty())
      set.emplace_back(kImatrixDatasetKey,
                       Value{.type = GgufType::string, .data = std::string_view(imatrix->datasets.front())});
    set.emplace_back(kImatrixEntriesKey,
                     Value{.type = GgufType::u32, .data = uint64_t(imatrix->entries.size())});
    if (imatrix->chunk_count > 0)
      set.emplace_back(kImatrixChunksKey,
                       Value{.type = GgufType::u32, .data = uint64_t(imatrix->chunk_count)});
  }
  for (const Metadata::Pair& pair : metadata.pairs()) {
    const auto mine =
        std::find_if(set.begin(), set.end(), [&](const auto& s) { return s.first == pair.key; });
    if (mine != set.end()) {
      writer.add(mine->first, mine->second);
      set.erase(mine);
    } else if (!is_split_key(pair.key) && !is_old_imatrix(pair.key)) {
      writer.add(pair.key, pair.value);
    }
  }
  for (const auto& [key, value] : set) writer.add(key, value);
}

/// Everything about one tensor that its work needs. Nothing of it lies in the input's map, which may lose its
/// pages when someone truncates the file.
struct Job {
  TensorPlan plan;
  const PositionedFile* file = nullptr;
  uint64_t file_offset = 0;
  uint64_t n_rows = 0, n_cols = 0;
  uint64_t matrix_rows = 0;       // rows of one expert
  std::vector<float> importance;  // (n_experts, n_cols), or empty

  uint64_t row_bytes(const QuantType& type) const { return n_cols / type.block_elems * type.block_bytes; }
};

/// Sums of one run of rows.
struct ErrorSums {
  double error = 0, norm = 0;
};

/// Rows that one thread works on at once: of one expert, about kRunElements.
struct Run {
  uint64_t first = 0, n_rows = 0;
  bool is_measured = false;  // its error counts
};
constexpr uint64_t kRunElements = uint64_t(1) << 15;
constexpr size_t kRunsAMeasure = 8;  // decoding and comparing all would cost a fifth of the time
constexpr size_t kRunsAtOnce = 64;   // between two writes

/// A thread's memory, kept from run to run.
struct Scratch {
  std::vector<std::byte> bytes;
  std::vector<float> x, y;
};

/// The place of a value in the input, and what it is.
BadValue not_finite(const Job& job, uint64_t row, uint64_t col, float value) {
  const QuantType& from = *job.plan.from;
  const uint64_t offset = row * job.row_bytes(from) + col / from.block_elems * from.block_bytes;
  return {{job.file->path(), printable(job.plan.name), job.file_offset + offset},
          NotFinite(size_t(row), size_t(col), value).what()};
}

void check_finite(const std::vector<float>& x, size_t n_cols) {
  const auto bad = std::find_if_not(x.begin(), x.end(), [](float v) { return std::isfinite(v); });
  const auto at = size_t(bad - x.begin());
  if (bad != x.end()) throw NotFinite(at / n_cols, at % n_cols, *bad);
}

/// sum w (x - y)^2 and sum w x^2 of whole rows.
ErrorSums measure_error(std::span<const float> importance, const Scratch& scratch) {
  ErrorSums sums;
  for (size_t i = 0; i < scratch.x.size(); ++i) {
    const double w = importance.empty() ? 1.0 : double(importance[i % importance.size()]);
    const double value = double(scratch.x[i]), rest = value - double(scratch.y[i]);
    sums.error += w * rest * rest;
    sums.norm += w * value * value;
  }
  return sums;
}

/// Reads, decodes, checks and encodes a run into `out`.
ErrorSums work_on(const Job& job, const Run& run, Effort effort, Scratch& scratch, std::byte* out) {
  const QuantType& from = *job.plan.from;
  const QuantType& to = *job.plan.to.type;
  const auto n_elements = size_t(run.n_rows * job.n_cols), n_cols = size_t(job.n_cols);
  scratch.bytes.resize(size_t(run.n_rows * job.row_bytes(from)));
  scratch.x.resize(n_elements);
  job.file->read_at(job.file_offset + run.first * job.row_bytes(from), scratch.bytes, job.plan.name);
  from.dequantize(scratch.bytes.data(), n_elements / from.block_elems, scratch.x.data());
  try {
    if (&from == &to) {
      check_finite(scratch.x, n_cols);
      std::copy(scratch.bytes.begin(), scratch.bytes.end(), out);
      return {};
    }
    std::span<const float> importance(job.importance);
    if (!importance.empty())
      importance = importance.subspan(size_t(run.first / job.matrix_rows) * n_cols, n_cols);
    encode_rows(to, scratch.x.data(), size_t(run.n_rows), n_cols, {importance, effort}, out);
    if (!run.is_measured) return {};
    scratch.y.resize(n_elements);
    to.dequantize(out, n_elements / to.block_elems, scratch.y.data());
    return measure_error(importance, scratch);
  } catch (const NotFinite& error) {
    throw not_finite(job, run.first + error.row, error.col, scratch.x[error.row * n_cols + error.col]);
  }
}

/// Runs of whole rows within one matrix: the same for any number of threads.
std::vector<Run> runs_of(const Job& job) {
  std::vector<Run> runs;
  const uint64_t at_once = std::max<uint64_t>(1, kRunElements / job.n_cols);
  for (uint64_t first = 0; first < job.n_rows;) {
    const uint64_t matrix_end = (first / job.matrix_rows + 1) * job.matrix_rows;
    const uint64_t n = std::min(at_once, matrix_end - first);
    runs.push_back({first, n, runs.size() % kRunsAMeasure == 0});
    first += n;
  }
  return runs;
}

/// Turns jobs into the bytes of their tensors.
class Worker {
 public:
  Worker(const QuantizeOptions& options, ThreadPool& pool, uint64_t n_elements)
      : options_(options), pool_(pool) {
    progress_.elements = n_elements;
  }

  void produce(Job& job, const GgufWriter::Sink& sink) {
    if (job.plan.has_importance)
      job.importance = column_importance(job.plan.name, options_.imatrix->entries.at(job.plan.name),
                                         size_t(job.n_cols), size_t(job.n_rows / job.matrix_rows));
    const std::vector<Run> runs = runs_of(job);
    const uint64_t out_row_bytes = job.row_bytes(*job.plan.to.type);
    ErrorSums sums;
    for (size_t begin = 0; begin < runs.size(); begin += kRunsAtOnce) {
      const std::span<const Run> chunk =
          std::span(runs).subspan(begin, std::min(kRunsAtOnce, runs.size() - begin));
      const uint64_t first_row = chunk.front().first, end_row = chunk.back().first + chunk.back().n_rows;
      encoded_.resize(size_t((end_row - first_row) * out_row_bytes));
      encode_chunk(job, chunk,
                   [&](const Run& run) { return encoded_.data() + (run.first - first_row) * out_row_bytes; });
      for (size_t i = 0; i < chunk.size(); ++i) {
        sums.error += run_sums_[i].error;
        sums.norm += run_sums_[i].norm;
      }
      sink(encoded_);
      report(job, (end_row - first_row) * job.n_cols);
    }
    if (job.plan.from != job.plan.to.type)
      job.plan.relative_error = sums.norm > 0 ? std::sqrt(sums.error / sums.norm) : 0;
    job.importance = {};
  }

 private:
  /// The error of the earliest run is thrown, whatever the threads' timing.
  template <class Place>
  void encode_chunk(const Job& job, std::span<const Run> chunk, const Place& place) {
    run_sums_.assign(chunk.size(), {});
    std::vector<std::exception_ptr> errors(chunk.size());
    pool_.run(chunk.size(), [&](size_t i) {
      thread_local Scratch scratch;
      try {
        run_sums_[i] = work_on(job, chunk[i], options_.effort, scratch, place(chunk[i]));
      } catch (...) {
        errors[i] = std::current_exception();
      }
    });
    for (const std::exception_ptr& error : errors)
      if (error) std::rethrow_exception(error);
  }

  void report(const Job& job, uint64_t n_elements) {
    progress_.elements_done += n_elements;
    progress_.tensor = job.plan.name;
    if (options_.progress && !options_.progress(progress_)) throw Stopped("stopped; nothing is written");
  }

  const QuantizeOptions& options_;
  ThreadPool& pool_;
  QuantizeProgress progress_;
  std::vector<std::byte> encoded_;
  std::vector<ErrorSums> run_sums_;
};

void refuse_what_cannot_be(const GgufFile& in, const TensorPlan& plan, const QuantizeOptions& options) {
  const std::string start = printable(in.path(), 1000) + ": tensor " + printable(plan.name) + ": ";
  if (plan.from == plan.to.type) return;
  if (plan.to.needs_importance && !plan.has_importance)
    throw UsageError(start + std::string(plan.to.type->name) +
                     " has too few bits to spend alike on all columns; it needs " +
                     (options.imatrix ? "this tensor in the importance matrix (--imatrix), which lacks it"
                                      : "an importance matrix (--imatrix; `assay imatrix` makes one)"));
  if (plan.from->block_elems > 1 && !options.allow_requantize)
    throw UsageError(
        start + "is already quantized (" + std::string(plan.from->name) +
        "); quantizing it again loses more than quantizing the original, so it must be asked for "
        "(--allow-requantize)");
}

/// Whether `imatrix` has the tensor's columns. Embeddings are looked up, not multiplied: an entry of theirs
/// is of the output that they stand for, or of another shape. Throws UsageError for another tensor's of
/// another shape.
bool has_importance(const Imatrix& imatrix, const TensorInfo& tensor) {
  const auto entry = imatrix.entries.find(std::string(tensor.name));
  if (entry == imatrix.entries.end()) return false;
  try {
    column_importance(entry->first, entry->second, size_t(tensor.n_cols()),
                      size_t(tensor.n_rows() / tensor.dims[1]));
    return true;
  } catch (const UsageError&) {
    if (tensor.name.ends_with("token_embd.weight")) return false;
    throw;
  }
}

/// `out` less what the names of parts end with.
std::string split_prefix(const std::filesystem::path& out) {
  if (const auto name = split_name(out)) return name->prefix;
  std::filesystem::path prefix = out;
  if (prefix.extension() == ".gguf") prefix.replace_extension();
  return prefix.string();
}

bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code ignored;
  return std::filesystem::equivalent(a, b, ignored);
}

}  // namespace

std::vector<TensorPlan> plan_tensors(const GgufFile& in, std::span<const TypeChoice> choices,
                                     const Imatrix* imatrix) {
  std::vector<TensorPlan> plans;
  for (size_t i = 0; i < choices.size(); ++i) {
    const TensorInfo& tensor = in.tensors()[i];
    TensorPlan plan;
    plan.name = tensor.name;
    plan.from = tensor.type;
    plan.to = choices[i];
    plan.n_elements = tensor.n_elements;
    plan.bytes_before = tensor.n_bytes;
    plan.bytes_after = tensor.n_elements / plan.to.type->block_elems * plan.to.type->block_bytes;
    if (imatrix && plan.from != plan.to.type) plan.has_importance = has_importance(*imatrix, tensor);
    plans.push_back(std::move(plan));
  }
  return plans;
}

QuantizeResult quantize_file(const GgufFile& in, const std::filesystem::path& out,
                             std::span<const TypeChoice> choices, const QuantizeOptions& options,
                             ThreadPool& pool) {
  const bool is_split = options.keep_split && in.n_parts() > 1;
  for (uint32_t i = 0; i < in.n_parts(); ++i) {
    const std::filesystem::path target =
        is_split ? SplitName{split_prefix(out), 1, uint32_t(in.n_parts())}.part(i + 1) : out;
    for (uint32_t k = 0; k < in.n_parts(); ++k)
      if (is_same_file(target, in.path(k)))
        throw UsageError(printable(target.string(), 1000) + ": is the input; it is not replaced");
  }
  std::vector<PositionedFile> files;
  std::vector<size_t> part_tensors(in.n_parts());
  for (uint32_t i = 0; i < in.n_parts(); ++i) files.emplace_back(in.path(i));
  std::vector<Job> jobs;
  uint64_t n_elements = 0;
  std::vector<TensorPlan> plans = plan_tensors(in, choices, options.imatrix);
  for (size_t i = 0; i < plans.size(); ++i) {
    const TensorInfo& tensor = in.tensors()[i];
    Job job;
    job.plan = std::move(plans[i]);
    job.file = &files[tensor.part];
    job.file_offset = tensor.file_offset;
    refuse_what_cannot_be(in, job.plan, options);
    job.n_rows = tensor.n_rows();
    job.n_cols = tensor.n_cols();
    job.matrix_rows = tensor.dims[1];
    n_elements += tensor.n_elements;
    ++part_tensors[tensor.part];
    jobs.push_back(std::move(job));
  }

  GgufWriter writer;
  add_metadata(writer, in.metadata(), options);
  Worker worker(options, pool, n_elements);
  for (size_t i = 0; i < jobs.size(); ++i) {
    Job& job = jobs[i];
    const TensorInfo& tensor = in.tensors()[i];
    writer.add_tensor(job.plan.name, *job.plan.to.type, std::span(tensor.dims).first(tensor.n_dims),
                      [&job, &worker](const GgufWriter::Sink& sink) { worker.produce(job, sink); });
  }

  QuantizeResult result;
  if (is_split) {
    result.files = writer.write_split(split_prefix(out), part_tensors);
  } else {
    writer.write(out);
    result.files = {out};
  }
  for (Job& job : jobs) result.tensors.push_back(std::move(job.plan));
  return result;
}

}  // namespace assay
