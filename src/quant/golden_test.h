// Reads the block vectors of tests/golden/quant for the tests of this folder.
#pragma once
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace assay {

/// The whole of tests/golden/quant/`name` as values of T. Fails the test when it is absent.
template <class T>
std::vector<T> read_golden(const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(ASSAY_SOURCE_DIR) / "tests/golden/quant" / name;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(bytes.size() % sizeof(T), 0u) << path;
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace assay
