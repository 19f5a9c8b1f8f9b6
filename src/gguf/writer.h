// Writes GGUF version 3 files, whole or in parts.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gguf/gguf.h"

namespace assay {

/// The C++ types that metadata can hold as numbers. Characters are not numbers.
template <class T>
concept GgufNumber = std::same_as<T, float> || std::same_as<T, double> ||
    (std::integral<T> && !std::same_as<T, char> && sizeof(T) <= 8);

template <GgufNumber T>
constexpr GgufType gguf_type_of() {
  if constexpr (std::same_as<T, bool>) return GgufType::boolean;
  if constexpr (std::floating_point<T>) return sizeof(T) == 4 ? GgufType::f32 : GgufType::f64;
  constexpr GgufType kUnsigned[] = {GgufType::u8, GgufType::u16, GgufType::u32, GgufType::u64};
  constexpr GgufType kSigned[] = {GgufType::i8, GgufType::i16, GgufType::i32, GgufType::i64};
  constexpr size_t kLog2Bytes = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
  return std::is_signed_v<T> ? kSigned[kLog2Bytes] : kUnsigned[kLog2Bytes];
}

/// Collects metadata and tensors, then writes them in the order in which they were added. Keys and names are
/// copied; the bytes of tensors are not. What the reader would refuse is refused before a byte is written.
class GgufWriter {
 public:
  /// Takes the next bytes of a tensor.
  using Sink = std::function<void(std::span<const std::byte>)>;
  /// Hands all bytes of one tensor to a sink, in any number of pieces. Called once, when the tensor's turn
  /// has come.
  using Producer = std::function<void(const Sink&)>;

  /// A number of exactly the type T: add("split.count", uint16_t(2)).
  template <GgufNumber T>
  void add(std::string_view key, T number) {
    add_numbers(key, gguf_type_of<T>(), std::as_bytes(std::span(&number, 1)), false);
  }
  void add(std::string_view key, std::string_view text);
  /// Any value, nested arrays too: what a reader returned, or one made by hand.
  void add(std::string_view key, const Value& value);
  /// An array of numbers or of strings.
  template <class T>
  void add_array(std::string_view key, const std::vector<T>& elements) {
    if constexpr (GgufNumber<T>) {
      std::vector<std::byte> packed(elements.size() * sizeof(T));
      for (size_t i = 0; i < elements.size(); ++i) {
        const T element = elements[i];
        std::memcpy(packed.data() + i * sizeof(T), &element, sizeof(T));
      }
      add_numbers(key, gguf_type_of<T>(), packed, true);
    } else {
      Array array{.element_type = uint32_t(GgufType::string), .n_elements = elements.size()};
      array.strings.assign(elements.begin(), elements.end());
      add(key, Value{.type = GgufType::array, .data = std::move(array)});
    }
  }

  /// A tensor whose bytes stay valid until they are written; dims[0] is the row length. Throws UsageError
  /// when `bytes` are not what type and dims ask for, or when no file can hold the shape.
  void add_tensor(std::string_view name, const QuantType& type, std::span<const uint64_t> dims,
                  std::span<const std::byte> bytes);
  /// A tensor whose bytes are made while the file is written. Throws UsageError for a shape that no file can
  /// hold.
  void add_tensor(std::string_view name, const QuantType& type, std::span<const uint64_t> dims,
                  Producer produce);

  /// Writes the file through AtomicFile; all of its size is claimed on disk before the first tensor is
  /// produced. Throws LoadError for what the reader would refuse, UsageError, MachineError, and
  /// std::logic_error when a producer gives more or fewer bytes than its tensor has.
  void write(const std::filesystem::path& path) const;
  /// Writes PREFIX-00001-of-0000N.gguf and so on, the tensors in order over the parts; their paths. The
  /// metadata go to the first part, its alignment too: the others have the default one. The parts get their
  /// names when all are complete. Errors: as write().
  std::vector<std::filesystem::path> write_split(const std::string& prefix, uint16_t n_parts) const;
  /// The same with a given number of tensors in each part; together, all of them.
  std::vector<std::filesystem::path> write_split(const std::string& prefix,
                                                 std::span<const size_t> part_tensors) const;
  /// The file's bytes, for tests. Errors: as write().
  std::vector<std::byte> to_bytes() const;

 private:
  struct Tensor {
    std::string name;
    TensorInfo info;  // only what its shape and type say
    Producer produce;
  };
  struct Plan;

  void add_numbers(std::string_view key, GgufType type, std::span<const std::byte> packed, bool is_array);
  Plan plan(const std::string& file) const;  // `file` names it in errors
  void emit(const Plan& plan, const Sink& sink) const;

  std::vector<std::byte> pairs_;  // as the file holds them
  uint64_t n_pairs_ = 0;
  std::vector<Tensor> tensors_;
};

}  // namespace assay
