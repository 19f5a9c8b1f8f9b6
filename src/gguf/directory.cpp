#include "gguf/directory.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "base/byte_reader.h"
#include "gguf/limits.h"

namespace assay {
namespace {

using std::to_string;

// The least that an entry can take: proof that a count is possible before memory is reserved for it.
constexpr uint64_t kMinStringBytes = 8;                  // its length
constexpr uint64_t kMinArrayBytes = 4 + 8;               // element type, count
constexpr uint64_t kMinPairBytes = 8 + 1 + 4 + 1;        // key of one byte, type, value of one byte
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 4 + 8;  // name of one byte, no dimensions, type, offset

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What a file that is not GGUF begins with, and what to tell its owner.
struct ForeignFile {
  std::string_view begins;
  std::string_view advice;
};
constexpr ForeignFile kForeignFiles[] = {
    {"lmgg",
     "is a GGML file, older than GGUF: convert the original model with llama.cpp's convert_hf_to_gguf.py"},
    {"fmgg",
     "is a GGMF file, older than GGUF: convert the original model with llama.cpp's convert_hf_to_gguf.py"},
    {"tjgg",
     "is a GGJT file, older than GGUF: convert the original model with llama.cpp's convert_hf_to_gguf.py"},
    {"vers", "is a Git LFS pointer, not the model itself: fetch it with 'git lfs pull'"},
    {"PK\x03\x04",
     "is a zip archive (a PyTorch checkpoint?): convert it with llama.cpp's convert_hf_to_gguf.py"},
    {"<!DO", "is a web page, not a model: the download went wrong"},
    {"<htm", "is a web page, not a model: the download went wrong"},
};

void read_magic(ByteReader& in) {
  const uint64_t offset = in.offset();
  const std::string_view magic = as_text(in.take(4, "magic"));
  if (magic == "GGUF") return;
  for (const ForeignFile& foreign : kForeignFiles)
    if (magic == foreign.begins) throw Unsupported(in.place_at("magic", offset), std::string(foreign.advice));
  throw BadValue(in.place_at("magic", offset),
                 "is '" + printable(magic) + "', not 'GGUF': this is no GGUF file");
}

uint32_t read_version(ByteReader& in) {
  const uint64_t offset = in.offset();
  const auto version = in.number<uint32_t>("version");
  if (version == 2 || version == 3) return version;
  if (version == 0) throw BadValue(in.place_at("version", offset), "is 0; GGUF versions begin with 1");
  if (version == 1)
    throw Unsupported(
        in.place_at("version", offset),
        "is 1, in use for some weeks of August 2023: convert the original model again with a current "
        "llama.cpp");
  if ((version & 0xffff) == 0)
    throw Unsupported(in.place_at("version", offset),
                      "has its bytes reversed: the file is big-endian; convert it with gguf-py's "
                      "gguf_convert_endian.py");
  throw Unsupported(in.place_at("version", offset),
                    "is " + to_string(version) + "; this version of Assay reads 2 and 3");
}

uint64_t read_count(ByteReader& in, std::string_view item, uint64_t most) {
  const uint64_t offset = in.offset();
  const auto count = in.number<uint64_t>(item);
  if (count > most)
    throw BadValue(in.place_at(item, offset),
                   "is " + to_string(count) + "; at most " + to_string(most) + " are allowed");
  return count;
}

/// A key or the name of a tensor: what names are made of.
std::string_view read_name(ByteReader& in, std::string_view item, uint64_t most_bytes) {
  const uint64_t offset = in.offset();
  const auto n_bytes = in.number<uint64_t>(item);
  if (n_bytes == 0) throw BadValue(in.place_at(item, offset), "has an empty name");
  if (n_bytes > most_bytes)
    throw BadValue(in.place_at(item, offset), "has a name of " + to_string(n_bytes) + " bytes; at most " +
                                                  to_string(most_bytes) + " are allowed");
  const std::string_view name = as_text(in.take(n_bytes, item));
  if (name.find('\0') != name.npos)
    throw BadValue(in.place_at(item, offset), "the name '" + printable(name) + "' contains a zero byte");
  return name;
}

/// Reads the values of one file's metadata; keeps count of the memory that their views take.
class ValueReader {
 public:
  explicit ValueReader(ByteReader& in) : in_(in) {}

  Value read(std::string_view key) {
    const GgufType type = read_type(key);
    Value value{.type = type};
    if (type == GgufType::string) {
      value.data = read_string(key);
    } else if (type == GgufType::array) {
      value.data = read_array(key, 1);
    } else {
      value = number_at(read_numbers(key, type, 1), 0);
    }
    return value;
  }

 private:
  GgufType read_type(std::string_view key) {
    const uint64_t offset = in_.offset();
    const auto type = GgufType(in_.number<uint32_t>(key));
    if (type > GgufType::f64)
      throw BadValue(in_.place_at(key, offset),
                     "has a value of type " + to_string(uint32_t(type)) + "; types are 0 (u8) to 12 (f64)");
    return type;
  }

  std::string_view read_string(std::string_view key) {
    const uint64_t offset = in_.offset();
    const auto n_bytes = in_.number<uint64_t>(key);
    if (n_bytes > kMaxStringBytes && n_bytes <= in_.left())
      throw BadValue(in_.place_at(key, offset), "holds a string of " + to_string(n_bytes) +
                                                    " bytes; at most " + to_string(kMaxStringBytes) +
                                                    " are allowed");
    return as_text(in_.take(n_bytes, key));
  }

  Array read_numbers(std::string_view key, GgufType type, uint64_t n_elements) {
    const uint64_t offset = in_.offset();
    Array array{.element_type = uint32_t(type), .n_elements = n_elements};
    array.numbers = in_.take(n_elements * gguf_type_bytes(type), key);  // n_elements <= kMaxArrayElements
    if (type == GgufType::boolean) {
      const auto bad = std::find_if(array.numbers.begin(), array.numbers.end(),
                                    [](std::byte b) { return b > std::byte{1}; });
      if (bad != array.numbers.end())
        throw BadValue(in_.place_at(key, offset + uint64_t(bad - array.numbers.begin())),
                       "holds a bool of " + to_string(unsigned(*bad)) + "; 0 and 1 are allowed");
    }
    return array;
  }

  /// Recursion ends at kMaxArrayDepth.
  Array read_array(std::string_view key, uint32_t depth) {
    const uint64_t offset = in_.offset();
    if (depth > kMaxArrayDepth)
      throw Unsupported(in_.place_at(key, offset),
                        "nests arrays more than " + to_string(kMaxArrayDepth) + " deep");
    const GgufType type = read_type(key);
    const uint64_t n_elements = read_count(in_, key, kMaxArrayElements);
    if (type == GgufType::string) {
      Array array{.element_type = uint32_t(type), .n_elements = n_elements};
      reserve(array.strings, n_elements, kMinStringBytes, key);
      for (uint64_t i = 0; i < n_elements; ++i) array.strings.push_back(read_string(key));
      return array;
    }
    if (type == GgufType::array) {
      Array array{.element_type = uint32_t(type), .n_elements = n_elements};
      reserve(array.arrays, n_elements, kMinArrayBytes, key);
      for (uint64_t i = 0; i < n_elements; ++i) array.arrays.push_back(read_array(key, depth + 1));
      return array;
    }
    return read_numbers(key, type, n_elements);
  }

  template <class View>
  void reserve(std::vector<View>& views, uint64_t n_elements, uint64_t min_bytes, std::string_view key) {
    in_.expect(n_elements, min_bytes, key);
    if (n_elements > view_bytes_left_ / sizeof(View))
      throw BadValue(in_.place(key), "the strings and nested arrays of the metadata need more than " +
                                         to_string(kMaxViewBytes) + " bytes of memory");
    view_bytes_left_ -= n_elements * sizeof(View);
    views.reserve(size_t(n_elements));
  }

  ByteReader& in_;
  uint64_t view_bytes_left_ = kMaxViewBytes;
};

std::vector<Metadata::Pair> read_pairs(ByteReader& in, uint64_t n_pairs) {
  in.expect(n_pairs, kMinPairBytes, "metadata");
  std::vector<Metadata::Pair> pairs;
  pairs.reserve(size_t(n_pairs));
  ValueReader values(in);
  for (uint64_t i = 0; i < n_pairs; ++i) {
    const uint64_t offset = in.offset();
    const std::string item = "metadata pair " + to_string(i + 1) + " of " + to_string(n_pairs);
    const std::string_view key = read_name(in, item, kMaxKeyBytes);
    pairs.push_back({key, values.read(key)});
    pairs.back().value.offset = offset;
  }
  return pairs;
}

uint64_t read_alignment(const Metadata& metadata) {
  const uint64_t alignment = metadata.find_uint(kAlignmentKey).value_or(kDefaultAlignment);
  if (!std::has_single_bit(alignment) || alignment < kMinAlignment || alignment > kMaxAlignment)
    throw BadValue(metadata.place(kAlignmentKey),
                   "is " + to_string(alignment) + ", must be a power of two from " +
                       to_string(kMinAlignment) + " to " + to_string(kMaxAlignment));
  return alignment;
}

/// Types that ggml stores but that no weight has: it computes nothing with them either.
constexpr std::string_view kPlainTypes[] = {"I8", "I16", "I32", "I64", "F64"};
constexpr uint32_t kFirstPlainType = 24;

const QuantType& read_tensor_type(ByteReader& in, std::string_view tensor) {
  const uint64_t offset = in.offset();
  const auto id = in.number<uint32_t>(tensor);
  if (const QuantType* type = find_quant_type(id)) return *type;
  if (const auto removed = removed_quant_type(id))
    throw Unsupported(in.place_at(tensor, offset),
                      "has type " + std::string(*removed) + " (" + to_string(id) +
                          "), which ggml removed: quantize the original model again");
  if (id >= kFirstPlainType && id - kFirstPlainType < std::size(kPlainTypes))
    throw Unsupported(in.place_at(tensor, offset),
                      "has type " + std::string(kPlainTypes[id - kFirstPlainType]) + " (" + to_string(id) +
                          "), with which Assay cannot compute: convert the tensor to F32");
  throw Unsupported(in.place_at(tensor, offset), "has the unknown type " + to_string(id) +
                                                     ": the file is damaged or newer than this Assay");
}

/// Reads a directory entry. file_offset is still relative to the data section.
TensorInfo read_entry(ByteReader& in, std::string_view item, uint64_t alignment) {
  TensorInfo tensor;
  tensor.entry_offset = in.offset();
  tensor.name = read_name(in, item, kMaxTensorNameBytes);
  const uint64_t dims_offset = in.offset();
  tensor.n_dims = in.number<uint32_t>(tensor.name);
  if (tensor.n_dims > std::size(tensor.dims))
    throw BadValue(in.place_at(tensor.name, dims_offset),
                   "has " + to_string(tensor.n_dims) + " dimensions; at most 4 are allowed");
  for (uint32_t i = 0; i < tensor.n_dims; ++i) tensor.dims[i] = in.number<uint64_t>(tensor.name);
  tensor.type = &read_tensor_type(in, tensor.name);
  if (const auto problem = measure(tensor)) throw BadValue(in.place_at(tensor.name, dims_offset), *problem);
  const uint64_t data_offset = in.offset();
  tensor.file_offset = in.number<uint64_t>(tensor.name);
  if (tensor.file_offset % alignment != 0)
    throw BadValue(in.place_at(tensor.name, data_offset),
                   "has its data at offset " + to_string(tensor.file_offset) +
                       ", not a multiple of the alignment " + to_string(alignment));
  return tensor;
}

/// Proves that the tensors' bytes are in the file and makes their offsets absolute.
void place_data(std::vector<TensorInfo>& tensors, const ByteReader& in, uint64_t alignment,
                uint64_t file_bytes) {
  if (tensors.empty()) return;
  const auto data_begin = align_up(in.offset(), alignment);
  if (!data_begin || *data_begin > file_bytes)
    throw Truncated(in.place("tensor data"), "the file ends before it");
  const uint64_t data_bytes = file_bytes - *data_begin;
  for (TensorInfo& tensor : tensors) {
    if (tensor.file_offset > data_bytes || tensor.n_bytes > data_bytes - tensor.file_offset)
      throw Truncated(in.place_at(tensor.name, tensor.entry_offset),
                      "needs " + to_string(tensor.n_bytes) + " bytes at offset " +
                          to_string(tensor.file_offset) + " of the data, which begins at byte " +
                          to_string(*data_begin) + " and has " + to_string(data_bytes) +
                          ": is the download complete?");
    tensor.file_offset += *data_begin;
  }
}

void refuse_overlaps(const std::vector<TensorInfo>& tensors, const ByteReader& in) {
  std::vector<uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return tensors[a].file_offset != tensors[b].file_offset ? tensors[a].file_offset < tensors[b].file_offset
                                                            : a < b;
  });
  for (size_t i = 1; i < order.size(); ++i) {
    const TensorInfo &before = tensors[order[i - 1]], &after = tensors[order[i]];
    if (after.file_offset - before.file_offset < before.n_bytes)
      throw BadValue(
          in.place_at(after.name, after.entry_offset),
          "its data at byte " + to_string(after.file_offset) + " overlaps that of " + printable(before.name));
  }
}

}  // namespace

NameIndex index_tensors(const std::vector<TensorInfo>& tensors,
                        const std::function<Place(const TensorInfo&)>& place) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const TensorInfo& tensor : tensors) names.push_back(tensor.name);
  NameIndex index(names);
  if (const auto second = index.first_duplicate()) {
    const Place first = place(tensors[*index.find(names[*second])]);
    throw BadValue(place(tensors[*second]), "the tensor is there twice, first at byte " +
                                                to_string(first.offset) + " of " +
                                                printable(first.file, 1000));
  }
  return index;
}

std::optional<std::string> measure(TensorInfo& tensor) {
  // Counts stay below 2^63, so that they are also valid pointer differences.
  constexpr auto kMost = uint64_t(std::numeric_limits<int64_t>::max());
  uint64_t n_elements = 1;
  for (uint32_t i = 0; i < tensor.n_dims; ++i) {
    if (tensor.dims[i] == 0) return "dimension " + to_string(i) + " is 0";
    if (tensor.dims[i] > kMost / n_elements) return "the product of its dimensions exceeds 2^63";
    n_elements *= tensor.dims[i];
  }
  const uint64_t block_elems = tensor.type->block_elems;
  if (tensor.dims[0] % block_elems != 0)
    return "has rows of " + to_string(tensor.dims[0]) + " weights, not a multiple of the " +
           to_string(block_elems) + " that a block of " + std::string(tensor.type->name) + " holds";
  if (n_elements / block_elems > kMost / tensor.type->block_bytes) return "its size in bytes exceeds 2^63";
  tensor.n_elements = n_elements;
  tensor.n_bytes = n_elements / block_elems * tensor.type->block_bytes;
  return std::nullopt;
}

Directory read_directory(std::span<const std::byte> bytes, uint64_t file_bytes, const std::string& file) {
  ByteReader in(bytes, file);
  Directory directory;
  read_magic(in);
  directory.version = read_version(in);
  const uint64_t n_tensors = read_count(in, "tensor count", kMaxTensors);
  const uint64_t n_pairs = read_count(in, "metadata pair count", kMaxPairs);
  directory.metadata = Metadata(file, read_pairs(in, n_pairs));
  directory.alignment = read_alignment(directory.metadata);
  in.expect(n_tensors, kMinTensorBytes, "tensor directory");
  directory.tensors.reserve(size_t(n_tensors));
  for (uint64_t i = 0; i < n_tensors; ++i) {
    const std::string item = "tensor " + to_string(i + 1) + " of " + to_string(n_tensors);
    directory.tensors.push_back(read_entry(in, item, directory.alignment));
  }
  place_data(directory.tensors, in, directory.alignment, file_bytes);
  refuse_overlaps(directory.tensors, in);
  return directory;
}

}  // namespace assay
