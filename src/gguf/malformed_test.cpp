// Files that must be refused: each with the class of the error, the item that it names, and the byte where it
// points.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <typeindex>

#include "gguf/exercise.h"
#include "gguf/limits.h"
#include "gguf/raw_gguf.h"

namespace assay {
namespace {

using std::to_string;

constexpr uint64_t kHuge[] = {uint64_t(1) << 32, uint64_t(1) << 61, uint64_t(1) << 63, UINT64_MAX - 7,
                              UINT64_MAX};
const std::type_index kTruncated = typeid(Truncated), kBadValue = typeid(BadValue),
                      kUnsupported = typeid(Unsupported);

struct Case {
  std::string name;
  std::function<void(RawGguf&)> spoil;
  std::type_index error;
  std::string item;
  std::string at;  // a label of RawGguf::bytes()
  std::string says;
  int64_t past = 0;  // bytes behind that label
};

void add_header_cases(std::vector<Case>& cases) {
  const std::pair<const char*, const char*> foreign[] = {
      {"lmgg", "older than GGUF"},   {"fmgg", "older than GGUF"}, {"tjgg", "older than GGUF"},
      {"PK\x03\x04", "zip archive"}, {"vers", "git lfs pull"},    {"<!DO", "web page"},
      {"<htm", "web page"}};
  for (const auto& [magic, advice] : foreign)
    cases.push_back({std::string("magic ") + magic, [m = std::string(magic)](RawGguf& f) { f.magic = m; },
                     kUnsupported, "magic", "magic", advice});
  for (const char* magic : {"gguf", "GGUG", "FUGG",
                            "\x7f"
                            "ELF",
                            "\x1b[2J"})
    cases.push_back({std::string("magic ") + magic, [m = std::string(magic)](RawGguf& f) { f.magic = m; },
                     kBadValue, "magic", "magic", "no GGUF file"});

  const auto version = [&](uint32_t number, std::type_index error, const char* says) {
    cases.push_back({"version " + to_string(number), [number](RawGguf& f) { f.version = number; }, error,
                     "version", "version", says});
  };
  version(0, kBadValue, "is 0");
  version(1, kUnsupported, "convert the original model again");
  version(4, kUnsupported, "reads 2 and 3");
  version(UINT32_MAX, kUnsupported, "reads 2 and 3");
  for (const uint32_t reversed : {0x01000000u, 0x02000000u, 0x03000000u})
    version(reversed, kUnsupported, "big-endian");

  for (const uint64_t count : {kMaxTensors + 1, kHuge[0], kHuge[1], kHuge[2], kHuge[3], kHuge[4]})
    cases.push_back({"tensor count " + to_string(count), [count](RawGguf& f) { f.n_tensors = count; },
                     kBadValue, "tensor count", "tensor count", "at most 1000000"});
  for (const uint64_t count : {kMaxPairs + 1, kHuge[0], kHuge[1], kHuge[2], kHuge[3], kHuge[4]})
    cases.push_back({"pair count " + to_string(count), [count](RawGguf& f) { f.n_pairs = count; }, kBadValue,
                     "metadata pair count", "pair count", "at most 100000"});
  cases.push_back({"tensors that cannot fit", [](RawGguf& f) { f.n_tensors = kMaxTensors; }, kTruncated,
                   "tensor directory", "directory", "do not fit"});
  cases.push_back({"pairs that cannot fit", [](RawGguf& f) { f.n_pairs = kMaxPairs; }, kTruncated, "metadata",
                   "general.architecture", "do not fit"});
}

void add_key_cases(std::vector<Case>& cases) {
  const std::string first = "metadata pair 1 of 6", key = "general.architecture";
  const auto key_bytes = [&](uint64_t n_bytes, std::type_index error, const char* says, int64_t past) {
    cases.push_back({"key of " + to_string(n_bytes) + " bytes",
                     [key, n_bytes](RawGguf& f) { f.pair(key).key_bytes = n_bytes; }, error, first, key, says,
                     past});
  };
  key_bytes(0, kBadValue, "empty name", 0);
  key_bytes(kMaxKeyBytes, kTruncated, "needs 65535 bytes", 8);
  key_bytes(kMaxKeyBytes + 1, kBadValue, "at most 65535", 0);
  for (const uint64_t n_bytes : kHuge) key_bytes(n_bytes, kBadValue, "at most 65535", 0);
  const std::string with_zero("gen\0ral", 7);
  cases.push_back({"key with a zero byte", [=](RawGguf& f) { f.pair(key).key = with_zero; }, kBadValue, first,
                   with_zero, "zero byte"});
  cases.push_back({"a key twice", [](RawGguf& f) { f.pairs[3].key = "test.flag"; }, kBadValue, "test.flag",
                   "test.words", "twice, first at byte", -int64_t(8 + 9 + 4 + 12 + 12)});
  cases.push_back({"control characters in a key",
                   [](RawGguf& f) {
                     f.pairs[2].key = "\x1b[2Jx";
                     f.pairs[2].type = 13;
                   },
                   kBadValue, "\\x1B[2Jx", "\x1b[2Jx type", "type 13"});
}

void add_value_cases(std::vector<Case>& cases) {
  for (const uint32_t type : {13u, 14u, 255u, 0x08000000u, UINT32_MAX})
    cases.push_back({"value type " + to_string(type), [type](RawGguf& f) { f.pair("test.flag").type = type; },
                     kBadValue, "test.flag", "test.flag type", "types are 0 (u8) to 12 (f64)"});
  for (const int byte : {2, 128, 255})
    cases.push_back({"bool " + to_string(byte),
                     [byte](RawGguf& f) { f.pair("test.flag").value = char(byte); }, kBadValue, "test.flag",
                     "test.flag value", "0 and 1 are allowed"});
  cases.push_back({"bool in an array",
                   [](RawGguf& f) {
                     f.pair("test.numbers").value = raw(uint32_t(7)) + raw(uint64_t(3)) + "\x01\x01\x05";
                   },
                   kBadValue, "test.numbers", "test.numbers value", "a bool of 5", 14});
  for (const uint64_t n_bytes : kHuge)
    cases.push_back({"string of " + to_string(n_bytes) + " bytes",
                     [n_bytes](RawGguf& f) { f.pair("general.architecture").value = raw(n_bytes) + "llama"; },
                     kTruncated, "general.architecture", "general.architecture value",
                     "needs " + to_string(n_bytes), 8});
  for (const uint64_t n_bytes : kHuge)
    cases.push_back({"string of " + to_string(n_bytes) + " bytes in an array",
                     [n_bytes](RawGguf& f) {
                       f.pair("test.words").value = raw(uint32_t(8)) + raw(uint64_t(1)) + raw(n_bytes);
                     },
                     kTruncated, "test.words", "test.words value", "needs " + to_string(n_bytes), 20});

  const auto array_of = [&](const std::string& name, uint32_t type, uint64_t count, std::type_index error,
                            const char* says, int64_t past) {
    cases.push_back(
        {name + " " + to_string(count),
         [=](RawGguf& f) { f.pair("test.numbers").value = raw(type) + raw(count) + std::string(12, '\0'); },
         error, "test.numbers", "test.numbers value", says, past});
  };
  for (const uint64_t count : {kMaxArrayElements + 1, kHuge[0], kHuge[1], kHuge[2], kHuge[3], kHuge[4]}) {
    array_of("numbers", 5, count, kBadValue, "at most 16777216", 4);
    array_of("doubles", 12, count, kBadValue, "at most 16777216", 4);
    array_of("strings", 8, count, kBadValue, "at most 16777216", 4);
    array_of("arrays", 9, count, kBadValue, "at most 16777216", 4);
  }
  array_of("numbers past the end", 11, kMaxArrayElements, kTruncated, "needs 134217728 bytes", 12);
  array_of("strings past the end", 8, kMaxArrayElements, kTruncated, "do not fit", 12);
  array_of("arrays past the end", 9, 1000, kTruncated, "do not fit", 12);
  array_of("elements of type 13", 13, 1, kBadValue, "types are 0 (u8) to 12 (f64)", 0);
  array_of("elements of type -1", UINT32_MAX, 1, kBadValue, "types are 0 (u8) to 12 (f64)", 0);

  for (const int depth : {5, 6, 1000, 100'000})
    cases.push_back({"arrays nested " + to_string(depth) + " deep",
                     [depth](RawGguf& f) {
                       std::string& value = f.pair("test.nested").value;
                       value.clear();
                       for (int i = 1; i < depth; ++i) value += raw(uint32_t(9)) + raw(uint64_t(1));
                       value += raw(uint32_t(0)) + raw(uint64_t(0));
                     },
                     kUnsupported, "test.nested", "test.nested value", "more than 4 deep", 48});
  for (const uint32_t alignment : {0u, 1u, 4u, 7u, 24u, 33u, 48u, 1u << 21, 1u << 31, UINT32_MAX})
    cases.push_back({"alignment " + to_string(alignment),
                     [alignment](RawGguf& f) { f.pair("general.alignment").value = raw(alignment); },
                     kBadValue, "general.alignment", "general.alignment", "power of two from 8 to 1048576"});
  const auto alignment_as = [&](const char* name, uint32_t type, const std::string& value, const char* says) {
    cases.push_back({name,
                     [=](RawGguf& f) {
                       f.pair("general.alignment").type = type;
                       f.pair("general.alignment").value = value;
                     },
                     kBadValue, "general.alignment", "general.alignment", says});
  };
  alignment_as("alignment -32", 5, raw(int32_t(-32)), "must not be negative");
  alignment_as("alignment 2^63", 10, raw(uint64_t(1) << 63), "power of two from 8");
  alignment_as("alignment 32.0", 6, raw(32.0f), "is f32, not an integer");
  alignment_as("alignment '32'", 8, raw_text("32"), "is string, not an integer");
  alignment_as("alignment true", 7, "\x01", "is bool, not an integer");
  alignment_as("alignment [32]", 9, raw(uint32_t(4)) + raw(uint64_t(1)) + raw(uint32_t(32)),
               "an array of u32, not an integer");
}

void add_tensor_cases(std::vector<Case>& cases) {
  const auto tensor = [&](const std::string& name, const std::function<void(RawTensor&)>& spoil,
                          std::type_index error, const std::string& item, const std::string& at,
                          const std::string& says, int64_t past = 0) {
    cases.push_back({name, [spoil](RawGguf& f) { spoil(f.tensors[1]); }, error, item, at, says, past});
  };
  const std::string second = "tensor 2 of 3", name = "b.weight";
  tensor(
      "name of 0 bytes", [](RawTensor& t) { t.name_bytes = 0; }, kBadValue, second, name, "empty name");
  for (const uint64_t n_bytes : {uint64_t(65), kHuge[0], kHuge[1], kHuge[2], kHuge[3], kHuge[4]})
    tensor(
        "name of " + to_string(n_bytes) + " bytes", [=](RawTensor& t) { t.name_bytes = n_bytes; }, kBadValue,
        second, name, "at most 64");
  const std::string with_zero("b\0weight", 8);
  tensor(
      "name with a zero byte", [=](RawTensor& t) { t.name = with_zero; }, kBadValue, second, with_zero,
      "zero byte");
  cases.push_back({"a name twice", [](RawGguf& f) { f.tensors[2].name = "a.weight"; }, kBadValue, "a.weight",
                   "end", "twice, first at byte", -int64_t(8 + 8 + 4 + 8 + 4 + 8)});

  for (const uint32_t n_dims : {5u, 255u, UINT32_MAX})
    tensor(
        to_string(n_dims) + " dimensions", [=](RawTensor& t) { t.n_dims = n_dims; }, kBadValue, name,
        name + " dims", "at most 4");
  const auto dims = [&](const std::vector<uint64_t>& d, const char* says) {
    std::string shape = "dims";
    for (const uint64_t dim : d) shape.append(1, ' ').append(to_string(dim));
    tensor(
        shape, [d](RawTensor& t) { t.dims = d; }, kBadValue, name, name + " dims", says);
  };
  dims({0}, "dimension 0 is 0");
  dims({32, 0}, "dimension 1 is 0");
  dims({32, 1, 1, 0}, "dimension 3 is 0");
  dims({31}, "not a multiple of the 32");
  dims({33, 2}, "not a multiple of the 32");
  dims({1, 32}, "not a multiple of the 32");
  dims({}, "not a multiple of the 32");
  dims({UINT64_MAX}, "product of its dimensions");
  dims({uint64_t(1) << 63, 2}, "product of its dimensions");
  dims({uint64_t(1) << 32, uint64_t(1) << 32}, "product of its dimensions");
  dims({uint64_t(1) << 32, uint64_t(1) << 31, 2, 1}, "product of its dimensions");
  dims({32, UINT64_MAX / 32 + 2}, "product of its dimensions");  // wraps around to 32
  dims({uint64_t(1) << 21, uint64_t(1) << 21, uint64_t(1) << 21, 2}, "product of its dimensions");
  tensor(
      "a size in bytes past 2^63",
      [](RawTensor& t) {
        t.dims = {uint64_t(1) << 62};
        t.type = 0;
      },
      kBadValue, name, name + " dims", "size in bytes");
  for (const uint64_t rows : {uint64_t(9), uint64_t(1000), uint64_t(1) << 32, uint64_t(1) << 56})
    tensor(
        to_string(rows) + " rows",
        [=](RawTensor& t) {
          t.dims = {32, rows};
        },
        kTruncated, name, name, "needs " + to_string(rows * 18) + " bytes");

  for (const uint32_t id : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u})
    tensor(
        "removed type " + to_string(id), [=](RawTensor& t) { t.type = id; }, kUnsupported, name,
        name + " type", "which ggml removed");
  const char* plain[] = {"I8", "I16", "I32", "I64", "F64"};
  for (uint32_t i = 0; i < 5; ++i)
    tensor(
        std::string("type ") + plain[i], [=](RawTensor& t) { t.type = 24 + i; }, kUnsupported, name,
        name + " type", std::string("has type ") + plain[i] + " (" + to_string(24 + i) + ")");
  for (const uint32_t id : {999u, 0x02000000u, 1u << 31, UINT32_MAX})
    tensor(
        "type " + to_string(id), [=](RawTensor& t) { t.type = id; }, kUnsupported, name, name + " type",
        "unknown type " + to_string(id));

  for (const uint64_t offset : {uint64_t(1), uint64_t(63), uint64_t(80), UINT64_MAX})
    tensor(
        "offset " + to_string(offset), [=](RawTensor& t) { t.offset = offset; }, kBadValue, name,
        name + " offset", "not a multiple of the alignment 32");
  for (const uint64_t offset :
       {uint64_t(160), uint64_t(192), uint64_t(1) << 32, uint64_t(1) << 63, UINT64_MAX - 31})
    tensor(
        "offset " + to_string(offset), [=](RawTensor& t) { t.offset = offset; }, kTruncated, name, name,
        "needs 36 bytes");
  for (const uint64_t offset : {uint64_t(0), uint64_t(32)})
    tensor(
        "offset " + to_string(offset), [=](RawTensor& t) { t.offset = offset; }, kBadValue, name, name,
        "overlaps");
  cases.push_back({"overlap of the next",
                   [](RawGguf& f) {
                     f.tensors[1].offset = 96;
                     f.tensors[1].dims = {32, 3};
                   },
                   kBadValue, "c.weight", "c.weight", "overlaps that of b.weight"});
  cases.push_back(
      {"no data", [](RawGguf& f) { f.data_bytes = 0; }, kTruncated, "a.weight", "a.weight", "has 0"});
  cases.push_back({"one byte too few", [](RawGguf& f) { f.data_bytes = 128 + 7; }, kTruncated, "c.weight",
                   "c.weight", "is the download complete?"});
  cases.push_back({"a file that ends before the data",
                   [](RawGguf& f) {
                     f.alignment = 1;
                     f.data_bytes = 0;
                   },
                   kTruncated, "tensor data", "end", "ends before it"});
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_header_cases(cases);
  add_key_cases(cases);
  add_value_cases(cases);
  add_tensor_cases(cases);
  return cases;
}

TEST(MalformedGguf, TheUnspoiltFileLoads) {
  std::map<std::string, uint64_t> offsets;
  const std::string bytes = small_gguf().bytes(offsets);
  EXPECT_EQ(load_and_exercise(std::as_bytes(std::span(bytes))), "");
}

TEST(MalformedGguf, EachIsRefusedWithItsItemAndPlace) {
  const std::vector<Case> cases = all_cases();
  EXPECT_GE(cases.size(), 150u);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    RawGguf file = small_gguf();
    c.spoil(file);
    std::map<std::string, uint64_t> offsets;
    const std::string bytes = file.bytes(offsets);
    ASSERT_TRUE(offsets.contains(c.at)) << c.at;
    const uint64_t at = offsets[c.at] + uint64_t(c.past);
    try {
      GgufFile::parse(std::as_bytes(std::span(bytes)), "dir/model.gguf");
      ADD_FAILURE() << "loaded";
    } catch (const LoadError& error) {
      EXPECT_EQ(std::type_index(typeid(error)), c.error) << typeid(error).name();
      EXPECT_EQ(error.place.file, "dir/model.gguf");
      EXPECT_EQ(error.place.item, c.item);
      EXPECT_EQ(error.place.offset, at);
      EXPECT_THAT(error.what(),
                  testing::StartsWith("dir/model.gguf: " + c.item + " at byte " + to_string(at) + ": "));
      EXPECT_THAT(error.what(), testing::HasSubstr(c.says));
    }
  }
}

TEST(MalformedGguf, StringsAndNestedArraysCannotTakeMoreMemoryThanAllowed) {
  // Empty arrays of u8: twelve zero bytes each in the file, many more in memory. Either list alone is
  // allowed.
  RawGguf file;
  const uint64_t n_arrays = kMaxViewBytes / sizeof(Array) / 2 + 1;
  const std::string arrays = raw(uint32_t(9)) + raw(n_arrays) + std::string(n_arrays * 12, '\0');
  file.pairs = {{"first", 9, arrays}, {"second", 9, arrays}};
  std::map<std::string, uint64_t> offsets;
  const std::string bytes = file.bytes(offsets);
  try {
    GgufFile::parse(std::as_bytes(std::span(bytes)), "f");
    FAIL() << "loaded";
  } catch (const BadValue& error) {
    EXPECT_EQ(error.place.item, file.pairs.back().key);
    EXPECT_THAT(error.what(), testing::HasSubstr("need more than 134217728 bytes of memory"));
  }
}

}  // namespace
}  // namespace assay
