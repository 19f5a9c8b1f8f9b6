// Models in several files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"
#include "gguf/split.h"
#include "gguf/writer.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(SplitName, TakesNamesApartAndPutsThemTogether) {
  const auto name = split_name("dir/model-Q4_K_M-00002-of-00012.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->prefix, "dir/model-Q4_K_M");
  EXPECT_EQ(name->number, 2u);
  EXPECT_EQ(name->count, 12u);
  EXPECT_EQ(name->part(12), "dir/model-Q4_K_M-00012-of-00012.gguf");
  EXPECT_EQ(split_name(name->part(1))->number, 1u);
  for (const char* other : {"", ".gguf", "model.gguf", "m-0001-of-00002.gguf", "m-00001-of-0002.gguf",
                            "m-00001of-00002.gguf", "m00001-of-00002.gguf", "m-00001-of-00002.bin",
                            "m-0000x-of-00002.gguf", "-of-00002.gguf", "m--0001-of-00002.gguf"})
    EXPECT_FALSE(split_name(other)) << other;
}

std::string name_of(uint64_t i) {
  return std::to_string(i).insert(0, 1, 't');
}

class SplitTest : public testing::Test {
 protected:
  static constexpr uint64_t kTensors = 7;

  void SetUp() override {
    for (uint64_t i = 0; i < kTensors; ++i)
      data_.push_back(std::vector<std::byte>(4 * (i + 1), std::byte(i + 1)));
  }
  GgufWriter model() const {
    GgufWriter writer;
    writer.add("general.architecture", "llama");
    writer.add("general.alignment", uint32_t(64));
    for (uint64_t i = 0; i < kTensors; ++i) {
      const uint64_t dims[] = {i + 1};
      writer.add_tensor(name_of(i), *find_quant_type("F32"), dims, data_[i]);
    }
    return writer;
  }
  fs::path part(uint32_t number, uint32_t count) const {
    return SplitName{prefix_, number, count}.part(number);
  }

  /// Replaces a part by a file with one tensor, `name`, and these split keys.
  void replace(const fs::path& path, uint16_t no, uint16_t count, int32_t n_tensors,
               const std::string& name = "other") const {
    GgufWriter writer;
    writer.add("split.no", no);
    writer.add("split.count", count);
    writer.add("split.tensors.count", n_tensors);
    const uint64_t dims[] = {1};
    writer.add_tensor(name, *find_quant_type("F32"), dims, data_[0]);
    writer.write(path);
  }
  template <class Error>
  void expect_refused(const fs::path& path, const std::string& item, const std::string& says) const {
    try {
      GgufFile::open(path);
      ADD_FAILURE() << "loaded";
    } catch (const Error& error) {
      EXPECT_EQ(error.place.item, item);
      EXPECT_THAT(error.what(), HasSubstr(says));
    }
  }

  TemporaryFolder folder_;
  const std::string prefix_ = (folder_.path() / "model").string();
  std::vector<std::vector<std::byte>> data_;
};

TEST_F(SplitTest, AllPartsTogetherAreTheModel) {
  for (const uint16_t n_parts : {1, 2, 3, 7, 10}) {
    SCOPED_TRACE(n_parts);
    const auto paths = model().write_split(prefix_, n_parts);
    ASSERT_EQ(paths.size(), n_parts);
    const GgufFile file = GgufFile::open(paths[0]);
    EXPECT_EQ(file.n_parts(), n_parts);
    EXPECT_EQ(file.metadata().need_string("general.architecture"), "llama");
    EXPECT_EQ(file.alignment(), 64u);
    ASSERT_EQ(file.tensors().size(), kTensors);
    uint64_t n_bytes = 0;
    for (uint32_t i = 0; i < n_parts; ++i) {
      EXPECT_EQ(file.path(i), paths[i].string());
      n_bytes += fs::file_size(paths[i]);
    }
    EXPECT_EQ(file.n_bytes(), n_bytes);
    for (uint64_t i = 0; i < kTensors; ++i) {
      const TensorInfo* tensor = file.find(name_of(i));
      ASSERT_NE(tensor, nullptr);
      EXPECT_THAT(file.data(*tensor), testing::ElementsAreArray(data_[i]));
      EXPECT_EQ(file.place(*tensor).file, paths[tensor->part].string());
      file.will_read(*tensor);
      std::vector<std::byte> part(tensor->n_bytes / 2);
      file.read(file.data(*tensor).last(part.size()), part.data(), tensor->name);
      EXPECT_THAT(part, testing::ElementsAreArray(file.data(*tensor).last(part.size())));
    }
  }
}

TEST_F(SplitTest, ASecondPartIsNotTheModel) {
  model().write_split(prefix_, 3);
  expect_refused<BadValue>(part(2, 3), "split.no", "this is part 2 of 3: open model-00001-of-00003.gguf");
}

TEST_F(SplitTest, AMissingPartIsNamed) {
  model().write_split(prefix_, 3);
  fs::remove(part(2, 3));
  expect_refused<Missing>(part(1, 3), "split.count", "part 2 of 3, model-00002-of-00003.gguf, is not there");
}

TEST_F(SplitTest, ACutPartIsRefusedByItsOwnName) {
  const auto paths = model().write_split(prefix_, 3);
  fs::resize_file(paths[2], fs::file_size(paths[2]) - 8);
  try {
    GgufFile::open(paths[0]);
    FAIL();
  } catch (const Truncated& error) {
    EXPECT_EQ(error.place.file, paths[2].string());
    EXPECT_EQ(error.place.item, "t6");
  }
}

TEST_F(SplitTest, CountsMustAgree) {
  model().write_split(prefix_, 3);
  fs::rename(part(1, 3), part(1, 4));
  expect_refused<BadValue>(part(1, 4), "split.count", "is 3, must be 4, as the file's name says");
  fs::rename(part(1, 4), folder_.path() / "model.gguf");
  expect_refused<BadValue>(folder_.path() / "model.gguf", "split.count", "this is one of 3 parts");

  model().write_split(prefix_, 3);
  replace(part(2, 3), 1, 2, 7);
  expect_refused<BadValue>(part(1, 3), "split.count", "is 2, must be 3, as in the first part");
}

TEST_F(SplitTest, NumbersMustBeThoseOfTheNames) {
  model().write_split(prefix_, 3);
  fs::rename(part(3, 3), part(2, 3));
  fs::copy_file(part(2, 3), part(3, 3));
  expect_refused<BadValue>(part(1, 3), "split.no", "is 2, must be 1, as the file's name says");
  fs::copy_file(part(2, 3), part(1, 3), fs::copy_options::overwrite_existing);
  expect_refused<BadValue>(part(1, 3), "split.no", "is 2, must be 0, as this is the first part");
}

TEST_F(SplitTest, APartWithoutSplitKeysDoesNotBelong) {
  model().write_split(prefix_, 2);
  model().write(part(2, 2));
  expect_refused<Missing>(part(1, 2), "split.count", "must be 2, as in the first part");
  model().write(part(1, 2));
  expect_refused<Missing>(part(1, 2), "split.count", "must be 2, as the file's name says");
  model().write(part(1, 1));  // the name of a whole model needs no keys
  EXPECT_EQ(GgufFile::open(part(1, 1)).tensors().size(), kTensors);
}

TEST_F(SplitTest, TensorsAreCountedAndTheirNamesCompared) {
  model().write_split(prefix_, 7);
  replace(part(4, 7), 3, 7, 7, "t5");
  expect_refused<BadValue>(part(1, 7), "t5", "the tensor is there twice, first at byte");
  replace(part(1, 7), 0, 7, 8, "t3");
  replace(part(4, 7), 3, 7, 8, "t0");
  expect_refused<BadValue>(part(1, 7), "split.tensors.count", "is 8, the parts hold 7 tensors");
  replace(part(1, 7), 0, 7, -1, "t3");
  expect_refused<BadValue>(part(1, 7), "split.tensors.count", "must not be negative");
}

TEST_F(SplitTest, InMemoryThereIsOnePart) {
  GgufWriter writer;
  writer.add("split.count", uint16_t(2));
  const auto bytes = writer.to_bytes();
  EXPECT_THROW(GgufFile::parse(bytes, "f"), BadValue);
}

}  // namespace
}  // namespace assay
