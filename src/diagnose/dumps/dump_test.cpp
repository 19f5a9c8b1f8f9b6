#include "diagnose/dumps/dump.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>

#include "base/half.h"
#include "base/temporary_folder.h"
#include "diagnose/dumps/safetensors_writer.h"

namespace assay {
namespace {

std::string little(uint64_t value, size_t n_bytes) {
  std::string bytes;
  for (size_t k = 0; k < n_bytes; ++k) bytes += char(value >> (8 * k) & 255);
  return bytes;
}

template <class T>
std::string raw(std::initializer_list<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

std::string npy(const std::string& header, const std::string& values, int major = 1) {
  return "\x93NUMPY" + little(uint64_t(major), 1) + little(0, 1) + little(header.size(), major == 1 ? 2 : 4) +
         header + values;
}

std::string npy_header(const std::string& descr, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }   \n";
}

std::string safetensors(const std::string& header, const std::string& data) {
  return little(header.size(), 8) + header + data;
}

Dump parse(const std::string& file) {
  return Dump::parse(std::as_bytes(std::span(file)), "dump");
}

void expect_refused(const std::string& file, const std::string& says) {
  try {
    parse(file);
    FAIL() << "accepted, though " << says;
  } catch (const LoadError& error) {
    EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
    EXPECT_EQ(error.place.file, "dump");
    EXPECT_LE(error.place.offset, file.size() + 8);
  }
}

TEST(Npy, ReadsEveryVersionAndWidth) {
  for (const int major : {1, 2, 3}) {
    const std::string file = npy(npy_header("<f4", "(2, 3)"), raw<float>({1, 2, 3, 4, 5, 6.5f}), major);
    const Dump dump = parse(file);
    ASSERT_EQ(dump.tensors().size(), 1u);
    EXPECT_EQ(dump.tensors()[0].shape, (std::vector<uint64_t>{2, 3}));
    EXPECT_EQ(dump.tensors()[0].f32(), (std::vector<float>{1, 2, 3, 4, 5, 6.5f}));
    EXPECT_EQ(&dump.need("any"), &dump.tensors()[0]);
  }
  const std::string half = npy(npy_header("<f2", "(2,)"), raw<uint16_t>({0x3c00, 0xc000}));
  EXPECT_EQ(parse(half).tensors()[0].f32(), (std::vector<float>{1, -2}));
  const std::string wide = npy(npy_header("<f8", "()"), raw<double>({0.1}));
  double value = 0;
  parse(wide).tensors()[0].read(0, std::span(&value, 1));
  EXPECT_EQ(value, 0.1);
}

TEST(Npy, RefusesWithTheReason) {
  const std::string four = raw<float>({1, 2, 3, 4});
  expect_refused(npy(npy_header(">f4", "(4,)"), four), "big-endian");
  expect_refused(npy(npy_header("|V2", "(8,)"), four), "safetensors");
  expect_refused(npy(npy_header("<u2", "(8,)"), four), "bf16 or f16");
  expect_refused(npy(npy_header("<i4", "(4,)"), four), "<f4");
  expect_refused(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}", four), "ascontiguousarray");
  expect_refused(npy("{'descr': '<f4', 'shape': (2, 2)}", four), "fortran_order");
  expect_refused(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,)}", four), "records");
  expect_refused(npy(npy_header("<f4", "(5,)"), four), "values");
  expect_refused(npy(npy_header("<f4", "(3,)"), four), "4 bytes follow");
  expect_refused(npy(npy_header("<f4", "(-3,)"), four), "dimension");
  expect_refused(npy(npy_header("<f4", "(4294967296, 4294967296, 16)"), four), "more numbers");
  expect_refused(npy(npy_header("<f4", "(1,1,1,1,1,1,1,1,4)"), four), "9 dimensions");
  expect_refused(npy(npy_header("<f4", "(4,)"), four, 4), "4.0");
  expect_refused(npy(npy_header("<f4", "(4,)"), four).substr(0, 30), "header");
  expect_refused("\x93NUMPY\x02" + little(0, 1) + little(0xffffffff, 4), "at most");
}

TEST(Safetensors, ReadsWhatTheWriterWrote) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "dump.safetensors";
  const std::vector<NamedTensor> tensors{{"b", {2, 2}, {1, 2, 3, 4}}, {"a", {1}, {5}}, {"none", {0, 7}, {}}};
  const std::vector<std::pair<std::string, std::string>> metadata{{"engine", "assay"}};
  write_safetensors(path, tensors, metadata);
  const Dump dump = Dump::open(path);
  ASSERT_EQ(dump.tensors().size(), 3u);
  for (const NamedTensor& tensor : tensors) {
    const DumpTensor& read = dump.need(tensor.name);
    EXPECT_EQ(std::vector<size_t>(read.shape.begin(), read.shape.end()), tensor.shape);
    EXPECT_EQ(read.f32(), tensor.values);
  }
  EXPECT_EQ(dump.metadata().at("engine"), "assay");
  EXPECT_THROW(dump.need("c"), UsageError);
}

TEST(Safetensors, ReadsAllWidths) {
  const std::string file = safetensors(
      R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1,1],"data_offsets":[4,6]},)"
      R"("d":{"dtype":"F64","shape":[],"data_offsets":[6,14]}})",
      raw<uint16_t>({0x3c00, 0x0001, 0x3fc0}) + raw<double>({-3}));
  const Dump dump = parse(file);
  EXPECT_EQ(dump.need("h").f32(), (std::vector<float>{1, 0x1p-24f}));
  EXPECT_EQ(dump.need("b").f32(), (std::vector<float>{1.5f}));
  EXPECT_EQ(dump.need("d").f32(), (std::vector<float>{-3}));
}

TEST(Safetensors, RefusesWithTheReason) {
  const std::string four = raw<float>({1, 2, 3, 4});
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto one = [&](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return safetensors(R"({"a":)" + entry(dtype, shape, offsets) + "}", four);
  };
  EXPECT_EQ(parse(one("F32", "[4]", "[0,16]")).tensors()[0].n_values, 4u);
  expect_refused(one("I32", "[4]", "[0,16]"), "I32");
  expect_refused(one("F32", "[5]", "[0,20]"), "ends at byte 20");
  expect_refused(one("F32", "[4]", "[0,12]"), "asks for 16");
  expect_refused(one("F32", "[3]", "[0,12]"), "4 bytes follow");
  expect_refused(one("F32", "[3]", "[4,16]"), "gap");
  expect_refused(one("F32", "[4]", "[16,0]"), "[begin, end]");
  expect_refused(one("F32", "[-4]", "[0,16]"), "no count");
  expect_refused(one("F32", "[4.0]", "[0,16]"), "no count");
  expect_refused(one("F32", "4", "[0,16]"), "no list");
  expect_refused(one("F32", "[18446744073709551615, 2]", "[0,16]"), "more numbers");
  expect_refused(safetensors(R"({"a":)" + entry("F32", "[3]", "[0,12]") + R"(,"b":)" +
                                 entry("F32", "[2]", "[8,16]") + "}",
                             four),
                 "overlaps");
  expect_refused(safetensors(R"({"a":)" + entry("F32", "[4]", "[0,16]") + R"(,"a":)" +
                                 entry("F32", "[4]", "[0,16]") + "}",
                             four),
                 "twice");
  expect_refused(safetensors(R"({"a":{"b":{"c":{"d":1}}}})", ""), "nested");
  expect_refused(safetensors(R"({"a":1})", ""), "no JSON object");
  expect_refused(safetensors("[1]", ""), "no JSON object");
  expect_refused(safetensors("{", ""), "not JSON");
  expect_refused(safetensors(R"({"__metadata__":{"a":1}})", ""), "__metadata__");
  expect_refused(little(uint64_t(1) << 60, 8) + "{}", "at most");
  expect_refused(little(100, 8) + "{}", "header");
  expect_refused("abc", "header length");
  expect_refused("PK\x03\x04", "zip");
  expect_refused("GGUF\x03", "GGUF");
}

// Whatever a changed byte makes of a file, it is read or refused by a LoadError.
TEST(Dumps, SurviveMutation) {
  const std::string files[] = {
      npy(npy_header("<f4", "(2, 2)"), raw<float>({1, 2, 3, 4})),
      safetensors(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"__metadata__":{"k":"v"}})",
                  raw<uint16_t>({1, 2}))};
  std::mt19937 random(5);
  size_t n_read = 0, n_refused = 0;
  for (const std::string& file : files)
    for (size_t at = 0; at < file.size(); ++at)
      for (int k = 0; k < 12; ++k) {
        std::string changed = file;
        changed[at] = char(random());
        if (k == 0) changed.resize(at);
        try {
          for (const Dump dump = parse(changed); const DumpTensor& tensor : dump.tensors()) tensor.f32();
          ++n_read;
        } catch (const LoadError&) {
          ++n_refused;
        }
      }
  EXPECT_GT(n_read, 100u);
  EXPECT_GT(n_refused, 1000u);
}

}  // namespace
}  // namespace assay
