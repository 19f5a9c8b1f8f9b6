// For tests: a GGUF file as its fields, put together without any check, so that each can be made wrong.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace assay {

/// The bytes of a value, little-endian.
template <class T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}
inline std::string raw_text(const std::string& text) {
  return raw(uint64_t(text.size())) + text;
}

struct RawPair {
  std::string key;
  uint32_t type;
  std::string value;
  std::optional<uint64_t> key_bytes = {};  // instead of the key's own length
};

struct RawTensor {
  std::string name;
  std::vector<uint64_t> dims;
  uint32_t type;
  uint64_t offset;
  std::optional<uint64_t> name_bytes = {};
  std::optional<uint32_t> n_dims = {};
};

struct RawGguf {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> n_tensors = {}, n_pairs = {};  // instead of the true counts
  std::vector<RawPair> pairs;
  std::vector<RawTensor> tensors;
  uint64_t alignment = 32;  // of the padding before the data
  size_t data_bytes = 0;

  RawPair& pair(const std::string& key) {
    for (RawPair& p : pairs)
      if (p.key == key) return p;
    pairs.push_back({key, 0, ""});
    return pairs.back();
  }

  /// The file. `offsets` gets where each part begins: "magic", "version", "tensor count", "pair count";
  /// "KEY", "KEY type", "KEY value"; "NAME", "NAME dims", "NAME type", "NAME offset"; "directory", "end" (of
  /// the directory), "data".
  std::string bytes(std::map<std::string, uint64_t>& offsets) const {
    std::string out;
    const auto put = [&](const std::string& label, const std::string& field) {
      offsets.emplace(label, out.size());
      out += field;
    };
    put("magic", magic);
    put("version", raw(version));
    put("tensor count", raw(n_tensors.value_or(tensors.size())));
    put("pair count", raw(n_pairs.value_or(pairs.size())));
    for (const RawPair& p : pairs) {
      put(p.key, raw(p.key_bytes.value_or(p.key.size())) + p.key);
      put(p.key + " type", raw(p.type));
      put(p.key + " value", p.value);
    }
    offsets.emplace("directory", out.size());
    for (const RawTensor& t : tensors) {
      put(t.name, raw(t.name_bytes.value_or(t.name.size())) + t.name);
      put(t.name + " dims", raw(t.n_dims.value_or(uint32_t(t.dims.size()))));
      for (const uint64_t dim : t.dims) out += raw(dim);
      put(t.name + " type", raw(t.type));
      put(t.name + " offset", raw(t.offset));
    }
    offsets.emplace("end", out.size());
    while (out.size() % alignment != 0) out += '\0';
    offsets.emplace("data", out.size());
    return out + std::string(data_bytes, '\x11');
  }
};

/// A small file that loads: six pairs, among them nested arrays, and three tensors.
inline RawGguf small_gguf() {
  RawGguf file;
  file.pairs = {
      {"general.architecture", 8, raw_text("llama")},
      {"general.alignment", 4, raw(uint32_t(32))},
      {"test.flag", 7, "\x01"},
      {"test.numbers", 9,
       raw(uint32_t(5)) + raw(uint64_t(3)) + raw(int32_t(1)) + raw(int32_t(-2)) + raw(int32_t(3))},
      {"test.words", 9,
       raw(uint32_t(8)) + raw(uint64_t(3)) + raw_text("one") + raw_text("") + raw_text("three")},
      {"test.nested", 9,
       raw(uint32_t(9)) + raw(uint64_t(2)) + raw(uint32_t(0)) + raw(uint64_t(2)) + "ab" + raw(uint32_t(8)) +
           raw(uint64_t(1)) + raw_text("x")},
  };
  file.tensors = {
      {"a.weight", {8, 2}, 0, 0},    // F32: 64 bytes
      {"b.weight", {32, 2}, 2, 64},  // Q4_0: 36 bytes
      {"c.weight", {4}, 1, 128},     // F16: 8 bytes
  };
  file.data_bytes = 160;
  return file;
}

}  // namespace assay
