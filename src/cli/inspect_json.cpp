#include "cli/inspect_json.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

Json value_json(const Value& value);

Json array_json(const Array& array) {
  Json items = Json::array();
  for (const std::string_view text : array.strings) items.push_back(text);
  for (const Array& inner : array.arrays) items.push_back(array_json(inner));
  if (!array.numbers.empty())
    for (uint64_t i = 0; i < array.n_elements; ++i) items.push_back(value_json(number_at(array, i)));
  return items;
}

Json value_json(const Value& value) {
  if (const auto* array = std::get_if<Array>(&value.data)) return array_json(*array);
  if (const auto* number = std::get_if<uint64_t>(&value.data)) return *number;
  if (const auto* number = std::get_if<int64_t>(&value.data)) return *number;
  if (const auto* number = std::get_if<double>(&value.data)) return *number;
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag;
  return std::get<std::string_view>(value.data);
}

}  // namespace

Json tensor_json(const GgufFile& file, const TensorInfo& tensor) {
  Json shape = Json::array();
  for (size_t d = std::max<size_t>(tensor.n_dims, 1); d-- > 0;) shape.push_back(tensor.dims[d]);
  Json json{{"name", tensor.name},
            {"type", tensor.type->name},
            {"shape", shape},
            {"n_bytes", tensor.n_bytes},
            {"file_offset", tensor.file_offset}};
  if (file.n_parts() > 1) json["part"] = file.path(tensor.part);
  return json;
}

Json file_json(const GgufFile& file) {
  Json metadata = Json::object(), tensors = Json::array();
  for (const Metadata::Pair& pair : file.metadata().pairs())
    metadata[std::string(pair.key)] = value_json(pair.value);
  for (const TensorInfo& tensor : file.tensors()) tensors.push_back(tensor_json(file, tensor));
  return {{"file", file.path()},          {"version", file.version()},     {"n_parts", file.n_parts()},
          {"n_bytes", file.n_bytes()},    {"alignment", file.alignment()}, {"metadata", std::move(metadata)},
          {"tensors", std::move(tensors)}};
}

Json stats_json(const TensorStats& s) {
  return {{"n_values", s.n_values}, {"n_zero", s.n_zero}, {"n_nan", s.n_nan},
          {"n_inf", s.n_inf},       {"min", s.min},       {"max", s.max},
          {"mean", s.mean},         {"std", s.std},       {"histogram", s.histogram}};
}

Json block_json(const TensorInfo& tensor, const BlockView& view) {
  Json json{{"index", view.index}, {"row", view.row}, {"col", view.col}, {"file_offset", view.file_offset}};
  std::vector<uint8_t> bytes;
  for (const std::byte b : view.bytes) bytes.push_back(uint8_t(b));
  json["bytes"] = bytes;
  if (view.integers) {
    const QuantType& type = *tensor.type;
    const size_t n_subs = type.block_elems / type.sub_elems;
    const IntegerBlock& b = *view.integers;
    json["d"] = b.d;
    json["scales"] = std::vector<int>(b.scale, b.scale + n_subs);
    if (type.has_mins) {
      json["dmin"] = b.dmin;
      json["mins"] = std::vector<int>(b.min, b.min + n_subs);
    }
    json["q"] = std::vector<int>(b.q, b.q + type.block_elems);
  }
  json["values"] = view.values;
  return json;
}

Json difference_json(const TensorDifference& d) {
  return {{"n_values", d.n_values}, {"n_equal", d.n_equal},      {"n_not_finite", d.n_not_finite},
          {"max_abs", d.max_abs},   {"worst", d.worst},          {"relative_rms", d.relative_rms},
          {"cosine", d.cosine},     {"norm_ratio", d.norm_ratio}};
}

}  // namespace assay::cli
