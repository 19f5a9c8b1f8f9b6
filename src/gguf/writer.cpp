#include "gguf/writer.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <stdexcept>
#include <utility>

#include "base/atomic_file.h"
#include "gguf/directory.h"
#include "gguf/limits.h"
#include "gguf/split.h"

namespace assay {
namespace {

constexpr uint32_t kVersionWritten = 3;

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <GgufNumber T>
void append_number(std::vector<std::byte>& out, T number) {
  append(out, std::as_bytes(std::span(&number, 1)));
}

void append_text(std::vector<std::byte>& out, std::string_view text) {
  append_number(out, uint64_t(text.size()));
  append(out, std::as_bytes(std::span(text)));
}

/// Recursion follows the array that the caller built; the reader's limit on depth is checked on the result.
void append_array(std::vector<std::byte>& out, const Array& array) {
  append_number(out, array.element_type);
  append_number(out, array.n_elements);
  append(out, array.numbers);
  for (const std::string_view text : array.strings) append_text(out, text);
  for (const Array& inner : array.arrays) append_array(out, inner);
}

void append_value(std::vector<std::byte>& out, const Value& value) {
  const auto natural = [&] { return std::get<uint64_t>(value.data); };
  const auto integer = [&] { return std::get<int64_t>(value.data); };
  const auto real = [&] { return std::get<double>(value.data); };
  append_number(out, uint32_t(value.type));
  switch (value.type) {
    case GgufType::u8:
      return append_number(out, uint8_t(natural()));
    case GgufType::u16:
      return append_number(out, uint16_t(natural()));
    case GgufType::u32:
      return append_number(out, uint32_t(natural()));
    case GgufType::u64:
      return append_number(out, natural());
    case GgufType::i8:
      return append_number(out, int8_t(integer()));
    case GgufType::i16:
      return append_number(out, int16_t(integer()));
    case GgufType::i32:
      return append_number(out, int32_t(integer()));
    case GgufType::i64:
      return append_number(out, integer());
    case GgufType::f32:
      return append_number(out, float(real()));
    case GgufType::f64:
      return append_number(out, real());
    case GgufType::boolean:
      return append_number(out, std::get<bool>(value.data));
    case GgufType::string:
      return append_text(out, std::get<std::string_view>(value.data));
    case GgufType::array:
      return append_array(out, std::get<Array>(value.data));
  }
}

void append_header(std::vector<std::byte>& out, uint64_t n_tensors, uint64_t n_pairs) {
  append(out, std::as_bytes(std::span("GGUF", 4)));
  append_number(out, kVersionWritten);
  append_number(out, n_tensors);
  append_number(out, n_pairs);
}

/// More than any file system holds; sums of two such sizes do not wrap around.
constexpr uint64_t kMostDataBytes = uint64_t(1) << 62;

}  // namespace

/// The file with all its offsets known.
struct GgufWriter::Plan {
  std::vector<std::byte> head;  // up to the first tensor's data, padded
  uint64_t alignment = 0;
  uint64_t n_bytes = 0;  // of the whole file
};

void GgufWriter::add(std::string_view key, std::string_view text) {
  add(key, Value{.type = GgufType::string, .data = text});
}

void GgufWriter::add(std::string_view key, const Value& value) {
  append_text(pairs_, key);
  append_value(pairs_, value);
  ++n_pairs_;
}

void GgufWriter::add_numbers(std::string_view key, GgufType type, std::span<const std::byte> packed,
                             bool is_array) {
  const Array array{
      .element_type = uint32_t(type), .n_elements = packed.size() / gguf_type_bytes(type), .numbers = packed};
  add(key, is_array ? Value{.type = GgufType::array, .data = array} : number_at(array, 0));
}

void GgufWriter::add_tensor(std::string_view name, const QuantType& type, std::span<const uint64_t> dims,
                            std::span<const std::byte> bytes) {
  add_tensor(name, type, dims, [bytes](const Sink& sink) { sink(bytes); });
  const uint64_t n_bytes = tensors_.back().info.n_bytes;
  if (n_bytes == bytes.size()) return;
  tensors_.pop_back();
  throw UsageError("tensor " + printable(name) + " needs " + std::to_string(n_bytes) + " bytes, got " +
                   std::to_string(bytes.size()));
}

void GgufWriter::add_tensor(std::string_view name, const QuantType& type, std::span<const uint64_t> dims,
                            Producer produce) {
  TensorInfo info;
  if (dims.size() > std::size(info.dims))
    throw UsageError("tensor " + printable(name) + " has " + std::to_string(dims.size()) +
                     " dimensions; at most 4 are allowed");
  info.type = &type;
  info.n_dims = uint32_t(dims.size());
  std::copy(dims.begin(), dims.end(), info.dims);
  if (const auto problem = measure(info)) throw UsageError("tensor " + printable(name) + ": " + *problem);
  tensors_.push_back({std::string(name), info, std::move(produce)});
}

GgufWriter::Plan GgufWriter::plan(const std::string& file) const {
  Plan plan;
  append_header(plan.head, 0, n_pairs_);
  append(plan.head, pairs_);
  plan.alignment = read_directory(plan.head, plan.head.size(), file).alignment;

  std::vector<std::byte> header;
  append_header(header, tensors_.size(), n_pairs_);
  std::copy(header.begin(), header.end(), plan.head.begin());
  uint64_t data_bytes = 0;
  for (const Tensor& tensor : tensors_) {
    append_text(plan.head, tensor.name);
    append_number(plan.head, tensor.info.n_dims);
    for (uint32_t i = 0; i < tensor.info.n_dims; ++i) append_number(plan.head, tensor.info.dims[i]);
    append_number(plan.head, tensor.info.type->id);
    append_number(plan.head, data_bytes);
    data_bytes += tensor.info.n_bytes;
    if (data_bytes > kMostDataBytes)
      throw UsageError(printable(file, 1000) + ": the tensors exceed 2^62 bytes");
    data_bytes = *align_up(data_bytes, plan.alignment);
  }
  plan.head.resize(size_t(*align_up(plan.head.size(), plan.alignment)));
  plan.n_bytes = plan.head.size() + data_bytes;
  // Throws what the reader of the file would.
  const Directory directory = read_directory(plan.head, plan.n_bytes, file);
  index_tensors(directory.tensors, [&](const TensorInfo& t) {
    return Place{file, printable(t.name), t.entry_offset};
  });
  return plan;
}

void GgufWriter::emit(const Plan& plan, const Sink& sink) const {
  sink(plan.head);
  const std::vector<std::byte> zeros(size_t(plan.alignment));
  for (const Tensor& tensor : tensors_) {
    uint64_t left = tensor.info.n_bytes;
    const auto refuse = [&](const char* problem) {
      throw std::logic_error("the producer of tensor " + printable(tensor.name) + " gave " + problem +
                             " bytes");
    };
    tensor.produce([&](std::span<const std::byte> bytes) {
      if (bytes.size() > left) refuse("too many");
      left -= bytes.size();
      sink(bytes);
    });
    if (left != 0) refuse("too few");
    const uint64_t padding = *align_up(tensor.info.n_bytes, plan.alignment) - tensor.info.n_bytes;
    sink(std::span(zeros).first(size_t(padding)));
  }
}

void GgufWriter::write(const std::filesystem::path& path) const {
  const Plan whole = plan(path.string());
  AtomicFile file(path);
  file.reserve(whole.n_bytes);
  emit(whole, [&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

std::vector<std::filesystem::path> GgufWriter::write_split(const std::string& prefix,
                                                           uint16_t n_parts) const {
  if (n_parts == 0) throw UsageError("a model cannot be split into 0 parts");
  const size_t at_most = (tensors_.size() + n_parts - 1) / n_parts;
  std::vector<size_t> part_tensors;
  for (size_t i = 0, left = tensors_.size(); i < n_parts; ++i, left -= part_tensors.back())
    part_tensors.push_back(std::min(left, at_most));
  return write_split(prefix, part_tensors);
}

std::vector<std::filesystem::path> GgufWriter::write_split(const std::string& prefix,
                                                           std::span<const size_t> part_tensors) const {
  if (part_tensors.empty() || part_tensors.size() > std::numeric_limits<uint16_t>::max())
    throw UsageError("a model cannot be split into " + std::to_string(part_tensors.size()) + " parts");
  const auto n_parts = uint16_t(part_tensors.size());
  const SplitName name{prefix, 1, n_parts};
  struct Part {
    GgufWriter writer;
    Plan plan;
    std::unique_ptr<AtomicFile> file;
  };
  std::vector<Part> parts(n_parts);
  std::vector<std::filesystem::path> paths;
  size_t first = 0;
  for (uint16_t i = 0; i < n_parts; ++i) {
    if (part_tensors[i] > tensors_.size() - first)
      throw std::logic_error("a part of tensors that are not there");
    GgufWriter& writer = parts[i].writer;
    if (i == 0) {
      writer.pairs_ = pairs_;
      writer.n_pairs_ = n_pairs_;
    }
    const auto begin = tensors_.begin() + std::ptrdiff_t(first);
    writer.tensors_.assign(begin, begin + std::ptrdiff_t(part_tensors[i]));
    first += part_tensors[i];
    writer.add(kSplitNoKey, i);
    writer.add(kSplitCountKey, n_parts);
    writer.add(kSplitTensorsKey, int32_t(tensors_.size()));
    paths.push_back(name.part(i + 1u));
    parts[i].plan = writer.plan(paths.back().string());
  }
  if (first != tensors_.size()) throw std::logic_error("the parts leave tensors out");
  for (uint16_t i = 0; i < n_parts; ++i) {
    parts[i].file = std::make_unique<AtomicFile>(paths[i]);
    parts[i].file->reserve(parts[i].plan.n_bytes);
  }
  for (const Part& part : parts)
    part.writer.emit(part.plan, [&](std::span<const std::byte> bytes) { part.file->write(bytes); });
  for (const Part& part : parts) part.file->commit();
  return paths;
}

std::vector<std::byte> GgufWriter::to_bytes() const {
  std::vector<std::byte> out;
  const Plan whole = plan("memory");
  out.reserve(size_t(whole.n_bytes));
  emit(whole, [&](std::span<const std::byte> bytes) { append(out, bytes); });
  return out;
}

}  // namespace assay
