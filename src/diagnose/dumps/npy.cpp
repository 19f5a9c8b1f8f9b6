// NumPy's .npy. Source of the format: numpy.lib.format's documentation (NEP 1).
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/byte_reader.h"
#include "diagnose/dumps/dump.h"

namespace assay {
namespace {

constexpr uint64_t kMaxHeaderBytes = 1 << 16;

/// The header's dictionary, a Python literal with three known keys.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& file, uint64_t offset)
      : text_(text), file_(file), offset_(offset) {}

  std::string descr;
  bool fortran_order = false;
  std::vector<uint64_t> shape;

  void read() {
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      const size_t which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : 3;
      if (which == 3) fail("key \"" + printable(key) + "\" is none of descr, fortran_order, shape");
      if (std::exchange(seen[which], true)) fail("key \"" + key + "\" is there twice");
      if (which == 0) read_descr();
      if (which == 1) read_fortran_order();
      if (which == 2) read_shape();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size()) fail("text follows the dictionary");
    constexpr const char* kKeys[] = {"descr", "fortran_order", "shape"};
    for (size_t k = 0; k < 3; ++k)
      if (!seen[k]) fail(fmt::format("key \"{}\" is missing", kKeys[k]));
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw BadValue({file_, "header", offset_ + at_}, problem);
  }
  void skip_blanks() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool accept(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("'{}' is expected here", c));
  }
  bool accept_word(std::string_view word) {
    skip_blanks();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  std::string string() {
    const char quote = accept('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) fail("a string has no end");
    std::string value(text_.substr(at_, end - at_));
    at_ = end + 1;
    return value;
  }
  void read_descr() {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '[') fail("an array of records: save the numbers alone");
    descr = string();
  }
  void read_fortran_order() {
    fortran_order = accept_word("True");
    if (!fortran_order && !accept_word("False")) fail("fortran_order is neither True nor False");
  }
  void read_shape() {
    expect('(');
    while (!accept(')')) {
      skip_blanks();
      uint64_t n = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), n);
      if (error != std::errc()) fail("a dimension is no count below 2^64");
      if (shape.size() > 64) fail("more than 64 dimensions");
      at_ = size_t(end - text_.data());
      accept_word("L");  // Python 2 wrote long integers so
      shape.push_back(n);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
  }

  std::string_view text_;
  const std::string& file_;
  uint64_t offset_;
  size_t at_ = 0;
};

DumpType type_of(const std::string& descr, const Place& place) {
  const std::string shown = "dtype \"" + printable(descr) + "\" ";
  if (descr == "<f2") return DumpType::f16;
  if (descr == "<f4") return DumpType::f32;
  if (descr == "<f8") return DumpType::f64;
  if (descr.starts_with('>')) throw Unsupported(place, shown + "is big-endian: save array.astype(\"<f4\")");
  if (descr == "|V2" || descr == "<V2" || descr == "<u2" || descr == "<i2" ||
      descr.find("bfloat16") != descr.npos)
    throw Unsupported(
        place, shown +
                   "may be bf16 or f16 bits, which .npy cannot tell apart: save .float().numpy(), or BF16 "
                   "as .safetensors");
  throw Unsupported(place, shown + "is none of <f2, <f4, <f8: save array.astype(\"<f4\")");
}

}  // namespace

void Dump::read_npy(std::span<const std::byte> bytes) {
  ByteReader reader(bytes, name_);
  reader.take(6, "magic");
  const Place version_place = reader.place("version");
  const auto major = reader.number<uint8_t>("version");
  const auto minor = reader.number<uint8_t>("version");
  if (major < 1 || major > 3 || minor != 0)
    throw Unsupported(version_place, fmt::format("{}.{}: versions 1.0 to 3.0 are read", major, minor));
  const Place length_place = reader.place("header length");
  const uint64_t n_header =
      major == 1 ? reader.number<uint16_t>("header length") : reader.number<uint32_t>("header length");
  if (n_header > kMaxHeaderBytes)
    throw BadValue(length_place, fmt::format("{} bytes, at most {} are read", n_header, kMaxHeaderBytes));
  const Place header_place = reader.place("header");
  const auto text = reader.take(n_header, "header");
  HeaderReader header({reinterpret_cast<const char*>(text.data()), text.size()}, name_, header_place.offset);
  header.read();

  DumpTensor tensor{
      .name = {}, .type = type_of(header.descr, header_place), .shape = std::move(header.shape), .bytes = {}};
  measure_dump_tensor(tensor, header_place);
  size_t n_long = 0;
  for (const uint64_t n : tensor.shape) n_long += n > 1;
  if (header.fortran_order && n_long > 1)
    throw Unsupported(header_place,
                      "the array is column-major (fortran_order): save np.ascontiguousarray(array)");
  tensor.file_offset = reader.offset();
  tensor.bytes = reader.take(tensor.n_values * dump_type_bytes(tensor.type), "values");
  if (reader.left() > 0)
    throw BadValue(reader.place("end"), fmt::format("{} bytes follow the values of shape {}", reader.left(),
                                                    shape_text(tensor.shape)));
  tensors_.push_back(std::move(tensor));
}

}  // namespace assay
