#include "quantize/imatrix_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "base/byte_reader.h"
#include "gguf/writer.h"

namespace assay {
namespace {

constexpr std::string_view kTypeKey = "general.type", kType = "imatrix";
constexpr std::string_view kDatasetsKey = "imatrix.datasets", kChunkCountKey = "imatrix.chunk_count",
                           kChunkSizeKey = "imatrix.chunk_size";
constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts";

/// A sum or a count as the file has it. Both are sums of squares or of ones.
float checked(float value, const Place& place, const char* what) {
  if (std::isfinite(value) && value >= 0) return value;
  throw BadValue(place, std::string("has ") + what + " of " + std::to_string(value));
}

uint64_t whole_count(float value, const Place& place) {
  constexpr float kMost = 0x1p62f;
  if (checked(value, place, "a count") > kMost)
    throw BadValue(place, "has a count of " + std::to_string(value));
  return uint64_t(std::llround(value));
}

std::vector<float> floats(const GgufFile& file, const TensorInfo& tensor) {
  if (tensor.type->name != "F32")
    throw BadValue(file.place(tensor), "is " + std::string(tensor.type->name) + ", not F32");
  std::vector<float> values(size_t(tensor.n_elements));
  std::memcpy(values.data(), file.data(tensor).data(), values.size() * sizeof(float));
  return values;
}

uint32_t need_u32(const Metadata& metadata, std::string_view key) {
  const uint64_t value = metadata.need_uint(key);
  if (value > std::numeric_limits<uint32_t>::max())
    throw BadValue(metadata.place(key), "is " + std::to_string(value) + ", more than 2^32 - 1");
  return uint32_t(value);
}

Imatrix read_gguf(const std::filesystem::path& path) {
  const GgufFile file = GgufFile::open(path);
  const Metadata& metadata = file.metadata();
  if (metadata.need_string(kTypeKey) != kType)
    throw BadValue(metadata.place(kTypeKey),
                   "is \"" + printable(metadata.need_string(kTypeKey)) + "\", not \"imatrix\"");
  Imatrix imatrix;
  if (const auto datasets = metadata.find_strings(kDatasetsKey))
    imatrix.datasets.assign(datasets->begin(), datasets->end());
  imatrix.chunk_count = need_u32(metadata, kChunkCountKey);
  imatrix.chunk_size = need_u32(metadata, kChunkSizeKey);
  for (const TensorInfo& sums : file.tensors()) {
    if (!sums.name.ends_with(kSums)) continue;
    const std::string name(sums.name.substr(0, sums.name.size() - kSums.size()));
    const Place place = file.place(sums);
    const TensorInfo* counts = file.find(name + std::string(kCounts));
    if (!counts) throw Missing(place, "has no tensor " + printable(name) + std::string(kCounts));
    if (counts->n_elements == 0 || counts->n_elements != sums.n_rows())
      throw ShapeMismatch(file.place(*counts), "has " + std::to_string(counts->n_elements) + " counts for " +
                                                   std::to_string(sums.n_rows()) + " rows of sums");
    ImatrixEntry& entry = imatrix.entries[name];
    entry.n_cols = size_t(sums.n_cols());
    for (const float value : floats(file, *counts))
      entry.counts.push_back(whole_count(value, file.place(*counts)));
    for (const float value : floats(file, sums)) entry.sums.push_back(double(checked(value, place, "a sum")));
  }
  return imatrix;
}

/// A number of things, an i32 in the file.
uint32_t take_number(ByteReader& reader, std::string_view item) {
  const Place place = reader.place(item);
  const auto value = reader.number<int32_t>(item);
  if (value < 0) throw BadValue(place, "is " + std::to_string(value));
  return uint32_t(value);
}

std::string take_text(ByteReader& reader, std::string_view item) {
  const auto bytes = reader.take(take_number(reader, item), item);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// i32 n_entries; of each: i32 length, name, i32 calls, i32 n_sums, f32 sums; then, in newer files, i32
/// chunks, i32 length, name of the text.
Imatrix read_dat(const MappedFile& map) {
  ByteReader reader(map.bytes(), map.path());
  Imatrix imatrix;
  const uint32_t n_entries = take_number(reader, "number of entries");
  if (n_entries == 0) throw BadValue(reader.place_at("number of entries", 0), "is 0");
  reader.expect(n_entries, 3 * sizeof(int32_t), "entries");
  for (uint32_t i = 0; i < n_entries; ++i) {
    const std::string name = take_text(reader, "name of entry " + std::to_string(i));
    const Place place = reader.place(name);
    const uint32_t calls = take_number(reader, name);
    const uint32_t n_sums = take_number(reader, name);
    if (n_sums == 0) throw BadValue(place, "has no sums");
    reader.expect(n_sums, sizeof(float), name);
    ImatrixEntry entry{n_sums, {calls}, {}};
    for (uint32_t k = 0; k < n_sums; ++k)
      entry.sums.push_back(double(checked(reader.number<float>(name), place, "a sum")));
    if (!imatrix.entries.emplace(name, std::move(entry)).second) throw BadValue(place, "is there twice");
  }
  if (reader.left() != 0) {
    imatrix.chunk_count = take_number(reader, "number of chunks");
    if (reader.left() != 0) imatrix.datasets.push_back(take_text(reader, "name of the text"));
  }
  if (reader.left() != 0)
    throw BadValue(reader.place("end"), std::to_string(reader.left()) + " bytes follow the last field");
  return imatrix;
}

/// dims of a (n_rows, n_cols) tensor, without a last one of 1.
std::vector<uint64_t> dims_of(size_t n_cols, size_t n_rows) {
  if (n_rows == 1) return {n_cols};
  return {n_cols, n_rows};
}

template <class Numbers>
std::vector<float> as_floats(const Numbers& numbers) {
  return {numbers.begin(), numbers.end()};
}

}  // namespace

Imatrix read_imatrix(const std::filesystem::path& path) {
  const MappedFile map = MappedFile::open(path);
  constexpr char kMagic[] = {'G', 'G', 'U', 'F'};
  const bool is_gguf =
      map.bytes().size() >= sizeof(kMagic) && std::memcmp(map.bytes().data(), kMagic, sizeof(kMagic)) == 0;
  Imatrix imatrix = is_gguf ? read_gguf(path) : read_dat(map);
  if (imatrix.entries.empty())
    throw UsageError(printable(path.string(), 1000) + ": holds no importance matrix");
  return imatrix;
}

void write_imatrix(const std::filesystem::path& path, const Imatrix& imatrix) {
  GgufWriter writer;
  writer.add(kTypeKey, kType);
  writer.add_array(kDatasetsKey, imatrix.datasets);
  writer.add(kChunkCountKey, imatrix.chunk_count);
  writer.add(kChunkSizeKey, imatrix.chunk_size);
  const QuantType& f32 = *find_quant_type("F32");
  // The writer keeps views of the bytes: they live until it has written. Numbers beyond f32 become its
  // largest.
  const auto add = [&](const std::string& name, size_t n_cols, size_t n_rows, std::vector<float> values) {
    for (float& value : values) value = std::min(value, std::numeric_limits<float>::max());
    writer.add_tensor(name, f32, dims_of(n_cols, n_rows),
                      [kept = std::move(values)](const auto& sink) { sink(std::as_bytes(std::span(kept))); });
  };
  for (const auto& [name, entry] : imatrix.entries) {
    add(name + std::string(kSums), entry.n_cols, entry.counts.size(), as_floats(entry.sums));
    add(name + std::string(kCounts), 1, entry.counts.size(), as_floats(entry.counts));
  }
  writer.write(path);
}

void merge(Imatrix& into, const Imatrix& from) {
  for (const auto& [name, entry] : from.entries) {
    const auto mine = into.entries.find(name);
    if (mine != into.entries.end() &&
        (mine->second.n_cols != entry.n_cols || mine->second.counts.size() != entry.counts.size()))
      throw UsageError("importance of " + printable(name) + ": " + std::to_string(entry.counts.size()) +
                       " x " + std::to_string(entry.n_cols) + " columns cannot be added to " +
                       std::to_string(mine->second.counts.size()) + " x " +
                       std::to_string(mine->second.n_cols));
  }
  for (const auto& [name, entry] : from.entries) {
    const auto [mine, is_new] = into.entries.emplace(name, entry);
    if (is_new) continue;
    ImatrixEntry& sum = mine->second;
    for (size_t i = 0; i < sum.sums.size(); ++i) sum.sums[i] += entry.sums[i];
    for (size_t i = 0; i < sum.counts.size(); ++i) sum.counts[i] += entry.counts[i];
  }
  if (into.chunk_size == 0) into.chunk_size = from.chunk_size;
  uint64_t n_chunks = from.chunk_count;
  if (from.chunk_size != 0 && from.chunk_size != into.chunk_size)
    n_chunks = (n_chunks * from.chunk_size + into.chunk_size - 1) / into.chunk_size;
  into.chunk_count =
      uint32_t(std::min<uint64_t>(into.chunk_count + n_chunks, std::numeric_limits<uint32_t>::max()));
  into.datasets.insert(into.datasets.end(), from.datasets.begin(), from.datasets.end());
}

std::vector<float> column_importance(const std::string& name, const ImatrixEntry& entry, size_t n_cols,
                                     size_t n_experts) {
  const bool by_expert = entry.n_cols == n_cols && entry.counts.size() == n_experts;
  const bool all_in_one = entry.counts.size() == 1 && entry.n_cols == n_cols * n_experts;
  if (!by_expert && !all_in_one)
    throw UsageError("importance of " + printable(name) + " has " + std::to_string(entry.counts.size()) +
                     " x " + std::to_string(entry.n_cols) + " columns, the tensor has " +
                     std::to_string(n_experts) + " x " + std::to_string(n_cols));
  std::vector<float> importance(n_experts * n_cols, 1.0f);
  for (size_t i = 0; i < importance.size(); ++i) {
    const auto count = float(entry.counts[all_in_one ? 0 : i / n_cols]);
    if (count > 0) importance[i] = float(entry.sums[i]) / count;
  }
  return importance;
}

}  // namespace assay
