#include "base/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <utility>

#include "base/load_error.h"
#include "base/temporary_folder.h"

namespace assay {
namespace {

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

class MappedFileTest : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) {
    auto path = folder_.path() / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  TemporaryFolder folder_;
};

TEST_F(MappedFileTest, ShowsTheBytesOfAFile) {
  const auto path = write("a", std::string("one\0two", 7));
  const MappedFile file = MappedFile::open(path);
  EXPECT_EQ(text_of(file), std::string("one\0two", 7));
  EXPECT_EQ(file.path(), path.string());
}

TEST_F(MappedFileTest, AnEmptyFileHasNoBytes) {
  EXPECT_TRUE(MappedFile::open(write("empty", "")).bytes().empty());
}

TEST_F(MappedFileTest, MovesWithItsBytesInPlace) {
  MappedFile first = MappedFile::open(write("a", "first")), second = MappedFile::open(write("b", "second"));
  const auto* bytes = second.bytes().data();
  first = std::move(second);
  EXPECT_EQ(text_of(first), "second");
  EXPECT_EQ(first.bytes().data(), bytes);
  const MappedFile third = std::move(first);
  EXPECT_EQ(third.bytes().data(), bytes);
}

TEST_F(MappedFileTest, ReadsAnyPart) {
  std::string text(50'000, 'x');
  for (size_t i = 0; i < text.size(); ++i) text[i] = char('a' + i % 26);
  const MappedFile file = MappedFile::open(write("big", text));
  const auto bytes = file.bytes();
  for (const size_t begin : {size_t(0), size_t(1), size_t(4095), size_t(4096), size_t(20'000), text.size()}) {
    for (const size_t n_bytes : {size_t(0), size_t(1), size_t(4096), size_t(9000), text.size()}) {
      const auto range = bytes.subspan(begin, std::min(n_bytes, text.size() - begin));
      file.will_read(range);
      std::vector<std::byte> copy(range.size());
      file.read(range, copy.data(), "part");
      EXPECT_TRUE(std::ranges::equal(copy, range));
    }
  }
  EXPECT_EQ(text_of(file), text);
  MappedFile().will_read({});
}

TEST_F(MappedFileTest, AFileThatBecameShorterIsAnErrorToRead) {
  const auto path = write("shrinks", std::string(10'000, 'x'));
  const MappedFile file = MappedFile::open(path);
  std::filesystem::resize_file(path, 4'000);
  std::vector<std::byte> out(5'000);
  file.read(file.bytes().subspan(0, 4'000), out.data(), "t");
  try {
    file.read(file.bytes().subspan(1'000, 5'000), out.data(), "t");
    FAIL();
  } catch (const Truncated& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(path.string()));
  }
}

TEST_F(MappedFileTest, RefusesWhatIsNoFile) {
  EXPECT_THROW(MappedFile::open(folder_.path() / "absent"), UsageError);
  EXPECT_THROW(MappedFile::open(write("plain", "x") / "below"), UsageError);
  EXPECT_THROW(MappedFile::open(folder_.path()), UsageError);
  EXPECT_THROW(MappedFile::open("/dev/null"), UsageError);
  const auto pipe = folder_.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(MappedFile::open(pipe), UsageError);  // and does not wait for a writer
}

TEST_F(MappedFileTest, NamesTheFileAndTheReason) {
  const auto loop = folder_.path() / "loop";
  std::filesystem::create_symlink(loop, loop);
  try {
    MappedFile::open(loop);
    FAIL();
  } catch (const MachineError& error) {
    EXPECT_THAT(error.what(), testing::StartsWith(loop.string() + ": cannot open: "));
  }
}

}  // namespace
}  // namespace assay
