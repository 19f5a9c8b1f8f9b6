#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "gguf/gguf.h"
#include "gguf/limits.h"

namespace assay {
namespace {

struct TypeFacts {
  std::string_view name;
  size_t n_bytes;
};
constexpr TypeFacts kTypes[] = {{"u8", 1},  {"i8", 1},  {"u16", 2},  {"i16", 2},    {"u32", 4},
                                {"i32", 4}, {"f32", 4}, {"bool", 1}, {"string", 0}, {"array", 0},
                                {"u64", 8}, {"i64", 8}, {"f64", 8}};

template <class T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

std::string_view element_type_name(const Array& array) {
  return gguf_type_name(GgufType(array.element_type));
}

/// What a value is, for "is X, not Y".
std::string describe(const Value& value) {
  const auto* array = std::get_if<Array>(&value.data);
  return array ? "an array of " + std::string(element_type_name(*array))
               : std::string(gguf_type_name(value.type));
}

BadValue wrong_type(const Metadata& metadata, std::string_view key, const Value& value, const char* wanted) {
  return BadValue(metadata.place(key), "is " + describe(value) + ", not " + wanted);
}

/// The alternative T of a key's value; nullptr when the key is absent.
template <class T>
const T* find_as(const Metadata& metadata, std::string_view key, const char* wanted) {
  const Value* value = metadata.find(key);
  if (value == nullptr) return nullptr;
  if (const T* data = std::get_if<T>(&value->data)) return data;
  throw wrong_type(metadata, key, *value, wanted);
}

template <class T>
T need(const Metadata& metadata, std::string_view key, std::optional<T> found) {
  if (found) return *found;
  throw Missing(metadata.place(key),
                "not among the " + std::to_string(metadata.pairs().size()) + " keys of the metadata");
}

}  // namespace

std::string_view gguf_type_name(GgufType type) noexcept {
  return size_t(type) < std::size(kTypes) ? kTypes[size_t(type)].name : "unknown";
}

size_t gguf_type_bytes(GgufType type) noexcept {
  return size_t(type) < std::size(kTypes) ? kTypes[size_t(type)].n_bytes : 0;
}

Value number_at(const Array& array, uint64_t i) {
  const auto type = GgufType(array.element_type);
  const std::byte* bytes = array.numbers.data() + i * gguf_type_bytes(type);
  Value value{.type = type};
  switch (type) {
    case GgufType::u8:
      value.data = uint64_t(load<uint8_t>(bytes));
      break;
    case GgufType::u16:
      value.data = uint64_t(load<uint16_t>(bytes));
      break;
    case GgufType::u32:
      value.data = uint64_t(load<uint32_t>(bytes));
      break;
    case GgufType::u64:
      value.data = load<uint64_t>(bytes);
      break;
    case GgufType::i8:
      value.data = int64_t(load<int8_t>(bytes));
      break;
    case GgufType::i16:
      value.data = int64_t(load<int16_t>(bytes));
      break;
    case GgufType::i32:
      value.data = int64_t(load<int32_t>(bytes));
      break;
    case GgufType::i64:
      value.data = load<int64_t>(bytes);
      break;
    case GgufType::f32:
      value.data = double(load<float>(bytes));
      break;
    case GgufType::f64:
      value.data = load<double>(bytes);
      break;
    case GgufType::boolean:
      value.data = bytes[0] != std::byte{0};
      break;
    case GgufType::string:
    case GgufType::array:
      break;
  }
  return value;
}

Metadata::Metadata(std::string file, std::vector<Pair> pairs)
    : file_(std::move(file)), pairs_(std::move(pairs)) {
  std::vector<std::string_view> keys;
  keys.reserve(pairs_.size());
  for (const Pair& pair : pairs_) keys.push_back(pair.key);
  index_ = NameIndex(keys);
  if (const auto second = index_.first_duplicate())
    throw BadValue(
        {file_, printable(pairs_[*second].key), pairs_[*second].value.offset},
        "the key is there twice, first at byte " + std::to_string(find(pairs_[*second].key)->offset));
}

const Value* Metadata::find(std::string_view key) const {
  const auto position = index_.find(key);
  return position ? &pairs_[*position].value : nullptr;
}

std::optional<uint64_t> Metadata::find_uint(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<uint64_t>(&value->data)) return *number;
  const auto* number = std::get_if<int64_t>(&value->data);
  if (number == nullptr) throw wrong_type(*this, key, *value, "an integer");
  if (*number < 0) throw BadValue(place(key), "is " + std::to_string(*number) + ", must not be negative");
  return uint64_t(*number);
}

std::optional<int64_t> Metadata::find_int(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<int64_t>(&value->data)) return *number;
  const auto* number = std::get_if<uint64_t>(&value->data);
  if (number == nullptr) throw wrong_type(*this, key, *value, "an integer");
  if (*number > uint64_t(std::numeric_limits<int64_t>::max()))
    throw BadValue(place(key), "is " + std::to_string(*number) + ", more than a signed 64-bit number holds");
  return int64_t(*number);
}

std::optional<double> Metadata::find_float(std::string_view key) const {
  const auto* number = find_as<double>(*this, key, "a floating-point number");
  if (number == nullptr) return std::nullopt;
  if (!std::isfinite(*number))
    throw BadValue(place(key), "is " + std::to_string(*number) + ", must be finite");
  return *number;
}

std::optional<bool> Metadata::find_bool(std::string_view key) const {
  const auto* data = find_as<bool>(*this, key, "a bool");
  return data ? std::optional(*data) : std::nullopt;
}

std::optional<std::string_view> Metadata::find_string(std::string_view key) const {
  const auto* data = find_as<std::string_view>(*this, key, "a string");
  return data ? std::optional(*data) : std::nullopt;
}

const Array* Metadata::find_array(std::string_view key) const {
  return find_as<Array>(*this, key, "an array");
}

std::optional<std::vector<std::string_view>> Metadata::find_strings(std::string_view key) const {
  const Array* array = find_as<Array>(*this, key, "an array of strings");
  if (array == nullptr) return std::nullopt;
  if (GgufType(array->element_type) != GgufType::string)
    throw wrong_type(*this, key, *find(key), "an array of strings");
  return array->strings;
}

std::optional<std::vector<int64_t>> Metadata::find_ints(std::string_view key) const {
  constexpr const char* kWanted = "an array of integers";
  const Array* array = find_as<Array>(*this, key, kWanted);
  if (array == nullptr) return std::nullopt;
  const auto type = GgufType(array->element_type);
  if (gguf_type_bytes(type) == 0 || type == GgufType::f32 || type == GgufType::f64)
    throw wrong_type(*this, key, *find(key), kWanted);
  std::vector<int64_t> numbers(size_t(array->n_elements));
  for (size_t i = 0; i < numbers.size(); ++i) {
    const Value element = number_at(*array, i);
    if (const auto* flag = std::get_if<bool>(&element.data)) {
      numbers[i] = *flag;
    } else if (const auto* number = std::get_if<int64_t>(&element.data)) {
      numbers[i] = *number;
    } else {
      const auto natural = std::get<uint64_t>(element.data);
      if (natural > uint64_t(std::numeric_limits<int64_t>::max()))
        throw BadValue(place(key), "element " + std::to_string(i) + " is " + std::to_string(natural) +
                                       ", more than a signed 64-bit number holds");
      numbers[i] = int64_t(natural);
    }
  }
  return numbers;
}

std::optional<std::vector<float>> Metadata::find_floats(std::string_view key) const {
  constexpr const char* kWanted = "an array of floating-point numbers";
  const Array* array = find_as<Array>(*this, key, kWanted);
  if (array == nullptr) return std::nullopt;
  const auto type = GgufType(array->element_type);
  if (type != GgufType::f32 && type != GgufType::f64) throw wrong_type(*this, key, *find(key), kWanted);
  std::vector<float> numbers(size_t(array->n_elements));
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto number = std::get<double>(number_at(*array, i).data);
    if (std::isnan(number)) throw BadValue(place(key), "element " + std::to_string(i) + " is not a number");
    if (std::isfinite(number) && std::abs(number) > double(std::numeric_limits<float>::max()))
      throw BadValue(place(key), "element " + std::to_string(i) + " does not fit in 32 bits");
    numbers[i] = float(number);
  }
  return numbers;
}

uint64_t Metadata::need_uint(std::string_view key) const {
  return need(*this, key, find_uint(key));
}
double Metadata::need_float(std::string_view key) const {
  return need(*this, key, find_float(key));
}
std::string_view Metadata::need_string(std::string_view key) const {
  return need(*this, key, find_string(key));
}

Place Metadata::place(std::string_view key) const {
  const Value* value = find(key);
  return {file_, printable(key), value ? value->offset : kGgufHeaderBytes};
}

}  // namespace assay
