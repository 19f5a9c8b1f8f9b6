#include "base/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <set>

#include "base/load_error.h"
#include "base/temporary_folder.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class AtomicFileTest : public testing::Test {
 protected:
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      found.insert(entry.path().filename().string());
    return found;
  }
  TemporaryFolder folder_;
  const fs::path path_ = folder_.path() / "out";
};

TEST_F(AtomicFileTest, AppearsOnlyWhenCommitted) {
  AtomicFile file(path_);
  file.write("hello ");
  file.write("world");
  EXPECT_EQ(file.n_bytes(), 11u);
  ASSERT_EQ(names().size(), 1u);
  EXPECT_THAT(*names().begin(), testing::StartsWith("out.tmp-"));
  file.commit();
  EXPECT_EQ(names(), std::set<std::string>{"out"});
  EXPECT_EQ(read(path_), "hello world");
}

TEST_F(AtomicFileTest, LeavesNothingWithoutCommit) {
  {
    AtomicFile file(path_);
    file.reserve(100'000);
    file.write("half");
  }
  EXPECT_TRUE(names().empty());
}

TEST_F(AtomicFileTest, ReplacesTheOldFileOrLeavesIt) {
  std::ofstream(path_) << "old";
  { AtomicFile(path_).write("new"); }
  EXPECT_EQ(read(path_), "old");
  AtomicFile file(path_);
  file.write("new");
  file.commit();
  EXPECT_EQ(read(path_), "new");
}

TEST_F(AtomicFileTest, ReservedBytesThatWereNotWrittenAreCutOff) {
  AtomicFile file(path_);
  file.reserve(1 << 20);
  file.write("abcdef");
  file.write_at(1, std::as_bytes(std::span("XY", 2)));
  file.write("g");
  file.commit();
  EXPECT_EQ(read(path_), "aXYdefg");
}

TEST_F(AtomicFileTest, AnEmptyFileIsAFile) {
  AtomicFile(path_).commit();
  EXPECT_EQ(names(), std::set<std::string>{"out"});
  EXPECT_EQ(read(path_), "");
}

TEST_F(AtomicFileTest, NamesInTheCurrentFolderWork) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_.path());
  AtomicFile file("plain");
  file.write("x");
  file.commit();
  fs::current_path(before);
  EXPECT_EQ(names(), std::set<std::string>{"plain"});
}

TEST_F(AtomicFileTest, TwoWritersOfOneNameDoNotMeet) {
  AtomicFile first(path_), second(path_);
  first.write("first");
  second.write("second");
  second.commit();
  EXPECT_EQ(read(path_), "second");
  first.commit();
  EXPECT_EQ(read(path_), "first");
}

TEST_F(AtomicFileTest, RefusesAFolderThatIsNotThere) {
  try {
    const AtomicFile file(folder_.path() / "absent" / "out");
    FAIL();
  } catch (const MachineError& error) {
    EXPECT_EQ(error.what(),
              (folder_.path() / "absent" / "out").string() + ": cannot create: No such file or directory");
  }
}

TEST_F(AtomicFileTest, NeverReplacesWhatIsNoRegularFile) {
  fs::create_directory(path_);
  EXPECT_THROW(AtomicFile{path_}, UsageError);
  EXPECT_THROW(AtomicFile{"/dev/null"}, UsageError);
  const fs::path link = folder_.path() / "link";
  fs::create_symlink("elsewhere", link);
  EXPECT_THROW(AtomicFile{link}, UsageError);
  EXPECT_EQ(names(), (std::set<std::string>{"link", "out"}));
}

TEST_F(AtomicFileTest, AFailingRenameLeavesNothing) {
  {
    AtomicFile file(path_);
    file.write("x");
    fs::create_directory(path_);
    EXPECT_THROW(file.commit(), MachineError);
  }
  EXPECT_EQ(names(), std::set<std::string>{"out"});
  EXPECT_TRUE(fs::is_directory(path_));
}

TEST_F(AtomicFileTest, RefusesSizesThatNoFileHas) {
  AtomicFile file(path_);
  EXPECT_THROW(file.reserve(uint64_t(1) << 63), MachineError);
  EXPECT_THROW(file.reserve(uint64_t(1) << 62), MachineError);  // more than this disk has
}

/// A limit on the size of files stands in for a full disk: writes past it fail, in the middle of a buffer
/// too.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t n_bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{n_bytes, before_.rlim_max};
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(AtomicFileTest, ADiskFullAtAnyByteLeavesTheOldFile) {
  std::ofstream(path_) << "old";
  for (const rlim_t room : {0u, 1u, 99u, 100u, 4096u, 9999u}) {
    {
      AtomicFile file(path_);
      const FileSizeLimit limit(room);
      const std::string text(100, 'x');
      EXPECT_THROW(
          {
            for (int i = 0; i < 100; ++i) file.write(text);
          },
          MachineError)
          << room;
    }
    EXPECT_EQ(names(), std::set<std::string>{"out"});
    EXPECT_EQ(read(path_), "old");
  }
}

TEST_F(AtomicFileTest, ReserveFailsBeforeTheWork) {
  AtomicFile file(path_);
  const FileSizeLimit limit(1000);
  EXPECT_NO_THROW(file.reserve(1000));
  EXPECT_THROW(file.reserve(1001), MachineError);
}

}  // namespace
}  // namespace assay
