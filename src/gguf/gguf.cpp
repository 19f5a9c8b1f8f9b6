#include "gguf/gguf.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <system_error>
#include <utility>

#include "gguf/directory.h"
#include "gguf/limits.h"
#include "gguf/split.h"

namespace assay {
namespace {

using std::to_string;

/// A number of a part's split.* metadata; 0 stands for an absent split.no, 1 for an absent split.count.
uint64_t split_no(const Metadata& metadata) {
  return metadata.find_uint(kSplitNoKey).value_or(0);
}
uint64_t split_count(const Metadata& metadata) {
  return metadata.find_uint(kSplitCountKey).value_or(1);
}

void require_equal(const Metadata& metadata, std::string_view key, uint64_t found, uint64_t expected,
                   const char* of_what) {
  if (found == expected) return;
  const std::string problem = "must be " + to_string(expected) + ", " + of_what;
  if (!metadata.contains(key)) throw Missing(metadata.place(key), problem);
  throw BadValue(metadata.place(key), "is " + to_string(found) + ", " + problem);
}

/// Checks that a file opened as `path` is the first of the parts that it says, and that its name says the
/// same.
void check_first_part(const Metadata& metadata, const std::filesystem::path& path) {
  const auto name = split_name(path);
  const uint64_t count = split_count(metadata);
  if (!name) {
    if (count == 1) return;
    throw BadValue(
        metadata.place(kSplitCountKey),
        "this is one of " + to_string(count) +
            " parts; they are found by their names, which must be NAME-00001-of-0000N.gguf and so on");
  }
  require_equal(metadata, kSplitCountKey, count, name->count, "as the file's name says");
  if (name->number != 1)
    throw BadValue(metadata.place(kSplitNoKey), "this is part " + to_string(name->number) + " of " +
                                                    to_string(name->count) + ": open " +
                                                    printable(name->part(1).filename().string()));
  require_equal(metadata, kSplitNoKey, split_no(metadata), 0, "as this is the first part");
}

}  // namespace

GgufFile GgufFile::open(const std::filesystem::path& path) {
  GgufFile file;
  const auto add_part = [&](const std::filesystem::path& part_path) {
    MappedFile map = MappedFile::open(part_path);
    const auto bytes = map.bytes();
    file.parts_.push_back({std::move(map), bytes, part_path.string()});
    return read_directory(bytes, bytes.size(), file.parts_.back().name);
  };
  Directory first = add_part(path);
  check_first_part(first.metadata, path);
  file.version_ = first.version;
  file.alignment_ = first.alignment;
  file.metadata_ = std::move(first.metadata);
  file.tensors_ = std::move(first.tensors);

  const auto n_parts = uint32_t(split_count(file.metadata_));  // equals the five digits of the name, or 1
  for (uint32_t i = 1; i < n_parts; ++i) {
    const std::filesystem::path part_path = split_name(path)->part(i + 1);
    std::error_code unknown;  // when the question itself fails, opening says why
    if (std::filesystem::status(part_path, unknown).type() == std::filesystem::file_type::not_found)
      throw Missing(file.metadata_.place(kSplitCountKey),
                    "part " + to_string(i + 1) + " of " + to_string(n_parts) + ", " +
                        printable(part_path.filename().string()) + ", is not there");
    Directory part = add_part(part_path);
    require_equal(part.metadata, kSplitCountKey, split_count(part.metadata), n_parts, "as in the first part");
    require_equal(part.metadata, kSplitNoKey, split_no(part.metadata), i, "as the file's name says");
    for (TensorInfo& tensor : part.tensors) {
      tensor.part = i;
      file.tensors_.push_back(tensor);
    }
  }
  if (const auto n_tensors = file.metadata_.find_uint(kSplitTensorsKey);
      n_tensors && *n_tensors != file.tensors_.size())
    throw BadValue(
        file.metadata_.place(kSplitTensorsKey),
        "is " + to_string(*n_tensors) + ", the parts hold " + to_string(file.tensors_.size()) + " tensors");
  file.tensor_index_ = index_tensors(file.tensors_, [&](const TensorInfo& t) { return file.place(t); });
  return file;
}

GgufFile GgufFile::parse(std::span<const std::byte> bytes, std::string name) {
  GgufFile file;
  Directory directory = read_directory(bytes, bytes.size(), name);
  file.parts_.push_back({MappedFile(), bytes, std::move(name)});
  require_equal(directory.metadata, kSplitCountKey, split_count(directory.metadata), 1,
                "in memory there are no other parts");
  file.version_ = directory.version;
  file.alignment_ = directory.alignment;
  file.metadata_ = std::move(directory.metadata);
  file.tensors_ = std::move(directory.tensors);
  file.tensor_index_ = index_tensors(file.tensors_, [&](const TensorInfo& t) { return file.place(t); });
  return file;
}

const TensorInfo* GgufFile::find(std::string_view name) const {
  const auto position = tensor_index_.find(name);
  return position ? &tensors_[*position] : nullptr;
}

std::span<const std::byte> GgufFile::data(const TensorInfo& tensor) const {
  return parts_.at(tensor.part).bytes.subspan(size_t(tensor.file_offset), size_t(tensor.n_bytes));
}

std::span<const std::byte> GgufFile::bytes(uint32_t part) const {
  return parts_.at(part).bytes;
}

const std::string& GgufFile::path(uint32_t part) const {
  return parts_.at(part).name;
}

uint64_t GgufFile::n_bytes() const {
  uint64_t n_bytes = 0;
  for (const Part& part : parts_) n_bytes += part.bytes.size();
  return n_bytes;
}

Place GgufFile::place(const TensorInfo& tensor) const {
  return {path(tensor.part), printable(tensor.name), tensor.entry_offset};
}

void GgufFile::read(std::span<const std::byte> range, std::byte* out, std::string_view item) const {
  const std::less_equal<const std::byte*> before;  // of any two pointers
  for (const Part& part : parts_) {
    const std::span<const std::byte> map = part.map.bytes();
    if (before(map.data(), range.data()) && before(range.data() + range.size(), map.data() + map.size()))
      return part.map.read(range, out, item);
  }
  std::ranges::copy(range, out);
}

void GgufFile::will_read(const TensorInfo& tensor) const noexcept {
  assert(tensor.part < parts_.size());
  parts_[tensor.part].map.will_read(data(tensor));
}

}  // namespace assay
