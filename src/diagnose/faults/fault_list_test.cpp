#include "diagnose/faults/fault_list.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

namespace assay {
namespace {

TEST(Faults, EveryEntryIsDocumentedUnderAnIdOfItsOwn) {
  std::set<std::string_view> ids;
  for (const Fault* fault : faults()) {
    SCOPED_TRACE(fault->id);
    EXPECT_TRUE(ids.insert(fault->id).second);
    EXPECT_EQ(fault->id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-"), std::string_view::npos);
    for (const std::string_view text :
         {fault->change, fault->affects, fault->symptom, fault->mend, fault->source})
      EXPECT_GT(text.size(), 3u);
    EXPECT_EQ(find_fault(fault->id), fault);
  }
}

TEST(Faults, AtLeastAHundredOfAllFamilies) {
  std::set<FaultFamily> families;
  for (const Fault* fault : faults()) families.insert(fault->family);
  EXPECT_GE(faults().size(), 100u);
  EXPECT_EQ(families.size(), size_t(FaultFamily::numerics) + 1);
}

TEST(Faults, PageIsFresh) {
  const std::string path = ASSAY_SOURCE_DIR "/docs/faults.md";
  if (std::getenv("ASSAY_UPDATE_DOCS")) std::ofstream(path, std::ios::binary) << faults_markdown();
  std::ifstream file(path, std::ios::binary);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(page == faults_markdown()) << path << " is stale: ASSAY_UPDATE_DOCS=1 diagnose_test";
}

}  // namespace
}  // namespace assay
