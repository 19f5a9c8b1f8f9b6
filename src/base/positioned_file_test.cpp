#include "base/positioned_file.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "base/load_error.h"
#include "base/temporary_folder.h"

namespace assay {
namespace {

TEST(PositionedFile, ReadsAtOffsetsAndSaysWhereAFileEnds) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "f";
  EXPECT_THROW(PositionedFile{path}, MachineError);
  std::ofstream(path) << "0123456789";
  const PositionedFile file(path);
  std::array<std::byte, 4> bytes{};
  file.read_at(3, bytes, "item");
  EXPECT_EQ(char(bytes[0]), '3');
  EXPECT_EQ(char(bytes[3]), '6');
  std::filesystem::resize_file(path, 5);
  try {
    file.read_at(3, bytes, "item");
    FAIL();
  } catch (const Truncated& error) {
    EXPECT_EQ(error.place.offset, 5u);
    EXPECT_EQ(error.place.item, "item");
  }
}

}  // namespace
}  // namespace assay
