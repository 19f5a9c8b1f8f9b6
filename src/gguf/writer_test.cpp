#include "gguf/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <filesystem>
#include <limits>

#include "base/temporary_folder.h"
#include "gguf/exercise.h"

namespace assay {
namespace {

using testing::HasSubstr;

std::vector<std::byte> pattern(size_t n_bytes, unsigned seed) {
  std::vector<std::byte> bytes(n_bytes);
  for (size_t i = 0; i < n_bytes; ++i) bytes[i] = std::byte((i * 31 + seed) & 0xff);
  return bytes;
}

const QuantType& type_named(std::string_view name) {
  const QuantType* type = find_quant_type(name);
  if (type == nullptr) throw std::logic_error("no such type");
  return *type;
}

/// A number of type T written and read comes back with its type and its bits.
template <class T, class Stored>
void expect_number(T number) {
  GgufWriter writer;
  writer.add("key", number);
  const std::vector<std::byte> bytes = writer.to_bytes();
  const GgufFile file = GgufFile::parse(bytes, "f");
  const Value& value = *file.metadata().find("key");
  RC_ASSERT(value.type == gguf_type_of<T>());
  RC_ASSERT(std::get<Stored>(value.data) == Stored(number));
}

RC_GTEST_PROP(GgufWriter, UnsignedNumbersComeBack, (uint8_t a, uint16_t b, uint32_t c, uint64_t d)) {
  expect_number<uint8_t, uint64_t>(a);
  expect_number<uint16_t, uint64_t>(b);
  expect_number<uint32_t, uint64_t>(c);
  expect_number<uint64_t, uint64_t>(d);
}

RC_GTEST_PROP(GgufWriter, SignedNumbersComeBack, (int8_t a, int16_t b, int32_t c, int64_t d, bool e)) {
  expect_number<int8_t, int64_t>(a);
  expect_number<int16_t, int64_t>(b);
  expect_number<int32_t, int64_t>(c);
  expect_number<int64_t, int64_t>(d);
  expect_number<bool, bool>(e);
}

RC_GTEST_PROP(GgufWriter, FloatsComeBack, (float a, double b)) {
  expect_number<float, double>(a);
  expect_number<double, double>(b);
}

RC_GTEST_PROP(GgufWriter, TextComesBack, (const std::string& text, const std::vector<std::string>& list)) {
  GgufWriter writer;
  writer.add("text", text);
  writer.add_array("list", list);
  const std::vector<std::byte> bytes = writer.to_bytes();
  const GgufFile file = GgufFile::parse(bytes, "f");
  RC_ASSERT(file.metadata().need_string("text") == text);
  const auto strings = *file.metadata().find_strings("list");
  RC_ASSERT(std::vector<std::string>(strings.begin(), strings.end()) == list);
}

/// An array of arrays, `depth` levels below, of a random shape.
rc::Gen<Array> arrays(uint32_t depth, const std::shared_ptr<std::vector<std::byte>>& numbers) {
  return rc::gen::exec([=] {
    const auto n_elements = *rc::gen::inRange<uint64_t>(0, 4);
    Array array{.element_type = uint32_t(GgufType::u16), .n_elements = n_elements};
    if (depth == 1 || *rc::gen::arbitrary<bool>()) {
      array.numbers = std::span(*numbers).first(size_t(n_elements) * 2);
      return array;
    }
    array.element_type = uint32_t(GgufType::array);
    for (uint64_t i = 0; i < n_elements; ++i) array.arrays.push_back(*arrays(depth - 1, numbers));
    return array;
  });
}

bool equal(const Array& a, const Array& b) {
  return a.element_type == b.element_type && a.n_elements == b.n_elements && a.strings == b.strings &&
         std::equal(a.numbers.begin(), a.numbers.end(), b.numbers.begin(), b.numbers.end()) &&
         std::equal(a.arrays.begin(), a.arrays.end(), b.arrays.begin(), b.arrays.end(), equal);
}

RC_GTEST_PROP(GgufWriter, NestedArraysComeBack, ()) {
  const Array array = *arrays(4, std::make_shared<std::vector<std::byte>>(pattern(8, 1)));
  GgufWriter writer;
  writer.add("nested", Value{.type = GgufType::array, .data = array});
  const std::vector<std::byte> bytes = writer.to_bytes();
  RC_ASSERT(equal(*GgufFile::parse(bytes, "f").metadata().find_array("nested"), array));
}

TEST(GgufWriter, EveryTypeOfTensorComesBackAlignedAndInOrder) {
  for (const uint32_t alignment : {8u, 32u, 64u, 4096u}) {
    GgufWriter writer;
    writer.add("general.alignment", alignment);
    std::vector<std::vector<std::byte>> data;
    for (const QuantType& type : quant_types()) {
      const uint64_t dims[] = {uint64_t(type.block_elems) * 2, 3};
      data.push_back(pattern(size_t(type.block_bytes) * 6, type.id));
      writer.add_tensor(std::string("t.") + std::string(type.name), type, dims, data.back());
    }
    const std::vector<std::byte> bytes = writer.to_bytes();
    const GgufFile file = GgufFile::parse(bytes, "f");
    EXPECT_EQ(file.version(), 3u);
    EXPECT_EQ(file.alignment(), alignment);
    ASSERT_EQ(file.tensors().size(), data.size());
    for (size_t i = 0; i < data.size(); ++i) {
      const TensorInfo& tensor = file.tensors()[i];
      EXPECT_EQ(tensor.type, &quant_types()[i]);
      EXPECT_EQ(tensor.n_rows(), 3u);
      EXPECT_EQ(tensor.n_cols(), uint64_t(tensor.type->block_elems) * 2);
      EXPECT_EQ(tensor.file_offset % alignment, 0u);
      EXPECT_THAT(file.data(tensor), testing::ElementsAreArray(data[i]));
      EXPECT_EQ(file.find(tensor.name), &tensor);
    }
    EXPECT_EQ(load_and_exercise(bytes), "");
  }
}

TEST(GgufWriter, AProducerMayGiveItsBytesInPieces) {
  TemporaryFolder folder;
  const auto path = folder.path() / "m.gguf";
  const auto whole = pattern(4000, 3);
  GgufWriter writer;
  const uint64_t dims[] = {1000};
  writer.add_tensor("t", type_named("F32"), dims, [&](const GgufWriter::Sink& sink) {
    EXPECT_FALSE(std::filesystem::exists(path));
    for (size_t i = 0; i < whole.size(); i += 700)
      sink(std::span(whole).subspan(i, std::min<size_t>(700, whole.size() - i)));
  });
  writer.write(path);
  const GgufFile file = GgufFile::open(path);
  EXPECT_THAT(file.data(*file.find("t")), testing::ElementsAreArray(whole));
  EXPECT_EQ(file.path(), path.string());
  EXPECT_EQ(file.n_bytes(), std::filesystem::file_size(path));
}

TEST(GgufWriter, WrittenAndKeptInMemoryAreTheSame) {
  TemporaryFolder folder;
  const auto path = folder.path() / "m.gguf";
  const auto data = pattern(36, 5);
  const uint64_t dims[] = {32, 2};
  GgufWriter writer;
  writer.add("general.architecture", "llama");
  writer.add_tensor("t", type_named("Q4_0"), dims, data);
  writer.write(path);
  EXPECT_THAT(MappedFile::open(path).bytes(), testing::ElementsAreArray(writer.to_bytes()));
}

TEST(GgufWriter, AFailingProducerLeavesNoFile) {
  TemporaryFolder folder;
  const uint64_t dims[] = {8};
  const auto too_few = pattern(31, 0), too_many = pattern(33, 0);
  const GgufWriter::Producer producers[] = {
      [&](const GgufWriter::Sink& sink) { sink(too_few); },
      [&](const GgufWriter::Sink& sink) { sink(too_many); },
      [](const GgufWriter::Sink&) {},
  };
  for (const auto& producer : producers) {
    GgufWriter writer;
    writer.add_tensor("t", type_named("F32"), dims, producer);
    EXPECT_THROW(writer.write(folder.path() / "m.gguf"), std::logic_error);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
}

TEST(GgufWriter, RefusesShapesAndBytesThatDoNotMatch) {
  const auto data = pattern(36, 0);
  const auto add = [&](const char* type, std::vector<uint64_t> dims) {
    GgufWriter writer;
    try {
      writer.add_tensor("t", type_named(type), dims, data);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(add("Q4_0", {32, 2}), "");
  EXPECT_EQ(add("Q4_0", {32, 3}), "tensor t needs 54 bytes, got 36");
  EXPECT_THAT(add("Q4_0", {16, 4}), HasSubstr("not a multiple of the 32"));
  EXPECT_THAT(add("Q4_0", {32, 0}), HasSubstr("dimension 1 is 0"));
  EXPECT_THAT(add("F32", {1, 1, 1, 1, 9}), HasSubstr("5 dimensions"));
  EXPECT_THAT(add("F32", {uint64_t(1) << 40, uint64_t(1) << 40}), HasSubstr("exceeds 2^63"));
}

/// What the reader would refuse is not written: the reader itself decides.
TEST(GgufWriter, RefusesWhatTheReaderWould) {
  TemporaryFolder folder;
  const auto data = pattern(32, 0);
  const uint64_t dims[] = {8};
  const QuantType& f32 = type_named("F32");
  const std::pair<const char*, std::function<void(GgufWriter&)>> cases[] = {
      {"the key is there twice", [](GgufWriter& w) { w.add("a", 1), w.add("a", 2); }},
      {"empty name", [](GgufWriter& w) { w.add("", 1); }},
      {"at most 65535", [](GgufWriter& w) { w.add(std::string(65536, 'k'), 1); }},
      {"power of two", [](GgufWriter& w) { w.add("general.alignment", uint32_t(0)); }},
      {"power of two", [](GgufWriter& w) { w.add("general.alignment", uint32_t(48)); }},
      {"the tensor is there twice",
       [&](GgufWriter& w) { w.add_tensor("t", f32, dims, data), w.add_tensor("t", f32, dims, data); }},
      {"at most 64", [&](GgufWriter& w) { w.add_tensor(std::string(65, 't'), f32, dims, data); }},
      {"zero byte", [&](GgufWriter& w) { w.add_tensor(std::string("t\0t", 3), f32, dims, data); }},
  };
  for (const auto& [says, add] : cases) {
    GgufWriter writer;
    add(writer);
    try {
      writer.write(folder.path() / "m.gguf");
      ADD_FAILURE() << says;
    } catch (const BadValue& error) {
      EXPECT_THAT(error.what(), HasSubstr(says));
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
}

TEST(GgufWriter, AFileThatNoDiskCanHoldIsRefusedBeforeItsTensorsAreMade) {
  TemporaryFolder folder;
  GgufWriter writer;
  const uint64_t dims[] = {uint64_t(1) << 58};
  writer.add_tensor("t", type_named("F32"), dims, [](const GgufWriter::Sink&) { FAIL(); });
  EXPECT_THROW(writer.write(folder.path() / "m.gguf"), MachineError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  for (const char* name : {"u", "v", "w", "x", "y", "z"})
    writer.add_tensor(name, type_named("F32"), dims, [](const GgufWriter::Sink&) { FAIL(); });
  EXPECT_THROW(writer.write(folder.path() / "m.gguf"), UsageError);
}

}  // namespace
}  // namespace assay
