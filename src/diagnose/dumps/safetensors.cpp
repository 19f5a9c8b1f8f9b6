// Reading safetensors. Source of the format: github.com/huggingface/safetensors.
#include <fmt/format.h>

#include <algorithm>

#include "base/byte_reader.h"
#include "base/json.h"
#include "diagnose/dumps/dump.h"

namespace assay {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kMaxHeaderBytes = uint64_t(16) << 20;
constexpr int kMaxDepth = 3;  // {name: {key: [number]}}

Json parse_header(std::string_view text, const Place& place) {
  try {
    return parse_json(text, kMaxDepth);
  } catch (const BadJson& error) {
    throw BadValue({place.file, place.item, place.offset + error.byte}, error.what());
  }
}

class EntryReader {
 public:
  EntryReader(const std::string& name, const Json& entry, Place place)
      : entry_(entry), place_(std::move(place)) {
    place_.item = "tensor " + printable(name);
    if (!entry.is_object()) fail("is described by no JSON object");
  }

  [[noreturn]] void fail(const std::string& problem) const { throw BadValue(place_, problem); }
  const Place& place() const { return place_; }

  DumpType type() const {
    const Json& dtype = member("dtype");
    if (!dtype.is_string()) fail("dtype is no string");
    const auto& text = dtype.get_ref<const std::string&>();
    for (const DumpType type : {DumpType::f16, DumpType::bf16, DumpType::f32, DumpType::f64})
      if (std::ranges::equal(text, dump_type_name(type), {}, [](char c) { return char(std::tolower(c)); }))
        return type;
    throw Unsupported(place_, "dtype \"" + printable(text) + "\" is none of F16, BF16, F32, F64");
  }
  std::vector<uint64_t> counts(const char* key) const {
    const Json& list = member(key);
    if (!list.is_array()) fail(fmt::format("{} is no list", key));
    std::vector<uint64_t> counts;
    for (const Json& n : list) {
      if (!n.is_number_unsigned()) fail(fmt::format("{} holds something that is no count below 2^64", key));
      counts.push_back(n.get<uint64_t>());
    }
    return counts;
  }

 private:
  const Json& member(const char* key) const {
    const auto found = entry_.find(key);
    if (found == entry_.end()) fail(fmt::format("has no {}", key));
    return *found;
  }

  const Json& entry_;
  Place place_;
};

}  // namespace

void Dump::read_safetensors(std::span<const std::byte> bytes) {
  ByteReader reader(bytes, name_);
  const Place length_place = reader.place("header length");
  const auto n_header = reader.number<uint64_t>("header length");
  if (n_header > kMaxHeaderBytes)
    throw BadValue(length_place,
                   fmt::format("{} bytes, at most {} are read: is this a .safetensors or .npy file?",
                               n_header, kMaxHeaderBytes));
  const Place header_place = reader.place("header");
  const auto header_bytes = reader.take(n_header, "header");
  const std::string_view text(reinterpret_cast<const char*>(header_bytes.data()), header_bytes.size());
  const Json header = parse_header(text, header_place);
  if (!header.is_object()) throw BadValue(header_place, "is no JSON object");

  const uint64_t data_offset = reader.offset();
  const auto data = reader.take(reader.left(), "data");
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) throw BadValue(header_place, "__metadata__ is no JSON object");
      for (const auto& [key, text_value] : value.items()) {
        if (!text_value.is_string())
          throw BadValue(header_place, "__metadata__ key \"" + printable(key) + "\" has no text");
        metadata_[key] = text_value.get<std::string>();
      }
      continue;
    }
    const EntryReader entry(name, value, header_place);
    DumpTensor tensor{.name = name, .type = entry.type(), .shape = entry.counts("shape"), .bytes = {}};
    measure_dump_tensor(tensor, entry.place());
    const auto offsets = entry.counts("data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1]) entry.fail("data_offsets are no [begin, end]");
    if (offsets[1] > data.size())
      throw Truncated({name_, entry.place().item, data_offset + offsets[0]},
                      fmt::format("ends at byte {} of the data, which has {}", offsets[1], data.size()));
    const uint64_t n_bytes = offsets[1] - offsets[0];
    if (n_bytes != tensor.n_values * dump_type_bytes(tensor.type))
      entry.fail(fmt::format("has {} bytes, shape {} in {} asks for {}", n_bytes, shape_text(tensor.shape),
                             dump_type_name(tensor.type), tensor.n_values * dump_type_bytes(tensor.type)));
    tensor.bytes = data.subspan(offsets[0], n_bytes);
    tensor.file_offset = data_offset + offsets[0];
    tensors_.push_back(std::move(tensor));
  }
  std::ranges::sort(tensors_, {},
                    [](const DumpTensor& t) { return std::pair(t.file_offset, t.bytes.size()); });
  uint64_t end = data_offset;
  for (const DumpTensor& tensor : tensors_) {
    if (tensor.file_offset != end)
      throw BadValue(place(tensor), tensor.file_offset < end ? "overlaps the tensor before it"
                                                             : "leaves a gap behind the tensor before it");
    end += tensor.bytes.size();
  }
  if (end != bytes.size())
    throw BadValue({name_, "end", end}, fmt::format("{} bytes follow the tensors", bytes.size() - end));
}

}  // namespace assay
