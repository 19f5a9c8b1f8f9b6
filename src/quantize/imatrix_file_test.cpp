#include "quantize/imatrix_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "base/temporary_folder.h"
#include "gguf/writer.h"

namespace assay {
namespace {

Imatrix sample() {
  Imatrix imatrix;
  imatrix.entries["blk.0.ffn_up.weight"] = {3, {4}, {4, 8, 0.5}};
  imatrix.entries["blk.0.ffn_up_exps.weight"] = {2, {2, 0, 10}, {1, 2, 0, 0, 5, 20}};
  imatrix.datasets = {"a.txt", "b.txt"};
  imatrix.chunk_count = 7;
  imatrix.chunk_size = 512;
  return imatrix;
}

void expect_equal(const Imatrix& a, const Imatrix& b) {
  EXPECT_EQ(a.datasets, b.datasets);
  EXPECT_EQ(a.chunk_count, b.chunk_count);
  EXPECT_EQ(a.chunk_size, b.chunk_size);
  ASSERT_EQ(a.entries.size(), b.entries.size());
  for (const auto& [name, entry] : a.entries) {
    SCOPED_TRACE(name);
    const ImatrixEntry& other = b.entries.at(name);
    EXPECT_EQ(entry.n_cols, other.n_cols);
    EXPECT_EQ(entry.counts, other.counts);
    EXPECT_EQ(entry.sums, other.sums);
  }
}

TEST(ImatrixFile, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  write_imatrix(folder.path() / "i.gguf", sample());
  expect_equal(read_imatrix(folder.path() / "i.gguf"), sample());
}

TEST(ImatrixFile, ColumnImportanceIsSumOverCount) {
  const auto& entries = sample().entries;
  EXPECT_EQ(column_importance("a", entries.at("blk.0.ffn_up.weight"), 3, 1),
            (std::vector<float>{1, 2, 0.125}));
  // An expert that no token reached weighs all columns alike.
  EXPECT_EQ(column_importance("b", entries.at("blk.0.ffn_up_exps.weight"), 2, 3),
            (std::vector<float>{0.5, 1, 1, 1, 0.5, 2}));
  // .dat: one count for all experts.
  EXPECT_EQ(column_importance("c", {4, {2}, {2, 4, 6, 8}}, 2, 2), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_THROW(column_importance("d", {4, {2}, {2, 4, 6, 8}}, 3, 1), UsageError);
}

TEST(ImatrixFile, MergeAddsUp) {
  Imatrix sum = sample();
  Imatrix more = sample();
  more.chunk_size = 256;
  more.entries["blk.1.ffn_up.weight"] = {1, {1}, {9}};
  merge(sum, more);
  EXPECT_EQ(sum.chunk_count, 7u + 4u);
  EXPECT_EQ(sum.datasets.size(), 4u);
  EXPECT_EQ(sum.entries.size(), 3u);
  EXPECT_EQ(sum.entries.at("blk.0.ffn_up_exps.weight").sums, (std::vector<double>{2, 4, 0, 0, 10, 40}));
  EXPECT_EQ(sum.entries.at("blk.0.ffn_up_exps.weight").counts, (std::vector<uint64_t>{4, 0, 20}));
  Imatrix other;
  other.entries["blk.0.ffn_up.weight"] = {2, {1}, {1, 1}};
  EXPECT_THROW(merge(sum, other), UsageError);
}

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string dat() {
  std::string out;
  put(out, int32_t(2));
  for (const std::string name : {"blk.0.attn_q.weight", "blk.1.attn_q.weight"}) {
    put(out, int32_t(name.size()));
    out += name;
    put(out, int32_t(5));
    put(out, int32_t(2));
    put(out, 10.0f);
    put(out, 2.5f);
  }
  put(out, int32_t(5));
  put(out, int32_t(5));
  out += "t.txt";
  return out;
}

TEST(ImatrixFile, ReadsDatAndRefusesItCutAnywhere) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "i.dat";
  const std::string whole = dat();
  const size_t without_chunks = whole.size() - 13, without_text = whole.size() - 9;  // older files end there
  for (size_t n = 0; n <= whole.size(); ++n) {
    std::ofstream(path, std::ios::binary).write(whole.data(), std::streamsize(n));
    if (n == whole.size() || n == without_chunks || n == without_text) {
      const Imatrix imatrix = read_imatrix(path);
      EXPECT_EQ(imatrix.entries.size(), 2u);
      EXPECT_EQ(column_importance("q", imatrix.entries.at("blk.1.attn_q.weight"), 2, 1),
                (std::vector<float>{2, 0.5}));
    } else {
      EXPECT_THROW(read_imatrix(path), LoadError) << n;
    }
  }
}

TEST(ImatrixFile, RefusesHostileNumbers) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "i.gguf";
  const QuantType& f32 = *find_quant_type("F32");
  struct Case {
    std::vector<float> sums, counts;
    std::vector<uint64_t> sum_dims;
    const char* type = "imatrix";
  };
  const Case good{{1, 2}, {1}, {2}};
  std::vector<Case> cases(7, good);
  cases[0].sums[1] = NAN;
  cases[1].sums[0] = -1;
  cases[2].sums[0] = INFINITY;
  cases[3].counts[0] = NAN;
  cases[4].counts[0] = 1e30f;
  cases[5].counts = {1, 1};
  cases[6].type = "model";
  cases.push_back(good);
  for (size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    GgufWriter writer;
    writer.add("general.type", c.type);
    writer.add("imatrix.chunk_count", uint32_t(1));
    writer.add("imatrix.chunk_size", uint32_t(1));
    writer.add_tensor("x.in_sum2", f32, c.sum_dims, std::as_bytes(std::span(c.sums)));
    const std::vector<uint64_t> count_dims{c.counts.size()};
    writer.add_tensor("x.counts", f32, count_dims, std::as_bytes(std::span(c.counts)));
    writer.write(path);
    if (i + 1 < cases.size()) {
      EXPECT_THROW(read_imatrix(path), LoadError) << i;
    } else {
      EXPECT_EQ(read_imatrix(path).entries.at("x").n_cols, 2u);
    }
  }
}

}  // namespace
}  // namespace assay
