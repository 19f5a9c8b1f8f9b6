#include "diagnose/compare/storage_noise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>

#include "gguf/raw_gguf.h"
#include "quant/encode/encode.h"
#include "sampling/rng.h"

namespace assay {
namespace {

constexpr size_t kRows = 48, kCols = 512;

/// A file with one tensor "w", (kRows, kCols), and its bytes.
class OneTensor {
 public:
  OneTensor(const QuantType& type, const std::vector<std::byte>& blocks)
      : bytes_(head(type, blocks.size())), file_([&] {
          bytes_.append(reinterpret_cast<const char*>(blocks.data()), blocks.size());
          return GgufFile::parse(std::as_bytes(std::span(bytes_)), "w.gguf");
        }()) {}
  const GgufFile& file() const { return file_; }
  const TensorInfo& tensor() const { return file_.tensors()[0]; }

 private:
  static std::string head(const QuantType& type, size_t n_bytes) {
    RawGguf raw;
    raw.tensors.push_back({"w", {kCols, kRows}, type.id, 0});
    std::map<std::string, uint64_t> offsets;
    std::string bytes = raw.bytes(offsets);
    bytes.resize(offsets.at("data"));
    (void)n_bytes;
    return bytes;
  }
  std::string bytes_;
  GgufFile file_;
};

/// Weights as trained ones are: normal, each row with a size of its own, a few large.
std::vector<float> weights(uint64_t seed) {
  Rng rng(seed);
  std::vector<float> w(kRows * kCols);
  for (size_t row = 0; row < kRows; ++row) {
    const double size = 0.02 * std::exp(rng.next_unit() - 0.5);
    for (size_t col = 0; col < kCols; ++col) {
      double sum = -6;
      for (int i = 0; i < 12; ++i) sum += rng.next_unit();
      w[row * kCols + col] = float(size * sum * (rng.next_unit() < 0.002 ? 6 : 1));
    }
  }
  return w;
}

std::vector<std::byte> encoded(const QuantType& type, const std::vector<float>& values, Effort effort,
                               std::span<const float> importance = {}) {
  std::vector<std::byte> blocks(values.size() / type.block_elems * type.block_bytes);
  encode_rows(type, values.data(), kRows, kCols, {importance, effort}, blocks.data());
  return blocks;
}

const QuantType& f32() {
  return *find_quant_type("F32");
}

std::string fault_of(const std::vector<float>& anchor, const QuantType& type,
                     const std::vector<std::byte>& blocks, std::span<const float> importance = {}) {
  ThreadPool pool(1);
  const OneTensor a(f32(), encoded(f32(), anchor, Effort::fast)), b(type, blocks);
  return judge_tensor(a.file(), a.tensor(), b.file(), b.tensor(), pool, importance).fault;
}

TEST(StorageNoise, HealthyEncodersOfEveryTypePass) {
  const std::vector<float> w = weights(1);
  Rng rng(2);
  std::vector<float> importance(kCols);
  for (float& i : importance) i = float(std::exp(6 * rng.next_unit()));
  ThreadPool pool(1);
  const OneTensor anchor(f32(), encoded(f32(), w, Effort::fast));
  double most = 0;
  for (const QuantType& type : quant_types()) {
    SCOPED_TRACE(type.name);
    for (const Effort effort : {Effort::fast, Effort::normal}) {
      const OneTensor file(type, encoded(type, w, effort));
      const TensorJudgement j =
          judge_tensor(anchor.file(), anchor.tensor(), file.file(), file.tensor(), pool);
      EXPECT_EQ(j.fault, "");
      most = std::max(most, j.ratio);
    }
    EXPECT_EQ(fault_of(w, type, encoded(type, w, Effort::fast, importance), importance), "");
  }
  EXPECT_LT(most, 1.1);
  std::printf("largest ratio of a healthy encoder: %.3f, the limit is %.2f\n", most,
              TensorJudgement::kHealthyRatio);
}

TEST(StorageNoise, OneWrongBlockStandsOutInEveryType) {
  const std::vector<float> w = weights(3);
  std::vector<float> wrong = w;
  for (size_t i = 0; i < 256; ++i)
    wrong[7 * kCols + 256 + i] = w[7 * kCols + 511 - i];  // one block backwards
  ThreadPool pool(1);
  const OneTensor anchor(f32(), encoded(f32(), w, Effort::fast));
  size_t n_shown = 0;
  for (const QuantType& type : quant_types()) {
    const OneTensor healthy(type, encoded(type, w, Effort::fast));
    const TensorJudgement j =
        judge_tensor(anchor.file(), anchor.tensor(), healthy.file(), healthy.tensor(), pool);
    // Strangers are sqrt(2) norms apart.
    const double ratio = std::sqrt(2.0) / j.allowed_rms;
    const std::string fault = fault_of(w, type, encoded(type, wrong, Effort::fast));
    if (ratio <= j.stretch_limit) {
      std::printf("%s: strangers give %.2f times its noise, a stretch stands out from %.2f on: not shown\n",
                  std::string(type.name).c_str(), ratio, j.stretch_limit);
      EXPECT_EQ(fault, "") << type.name;
      continue;
    }
    ++n_shown;
    EXPECT_NE(fault.find("1 of 96 stretches"), std::string::npos) << type.name << ": " << fault;
    EXPECT_NE(fault.find("row 7, column 256"), std::string::npos) << type.name << ": " << fault;
  }
  EXPECT_GE(n_shown + 4, quant_types().size());  // Q1_0 and the three ternary types
}

TEST(StorageNoise, NamesWhatBecameOfATensor) {
  const std::vector<float> w = weights(4);
  const auto changed = [&](auto&& value) {
    std::vector<float> v(w.size());
    for (size_t row = 0; row < kRows; ++row)
      for (size_t col = 0; col < kCols; ++col) v[row * kCols + col] = value(row, col);
    return v;
  };
  for (const char* name : {"Q8_0", "Q6_K", "Q4_K", "Q2_K"}) {
    const QuantType& type = *find_quant_type(name);
    SCOPED_TRACE(name);
    const auto fault = [&](const std::vector<float>& v) {
      return fault_of(w, type, encoded(type, v, Effort::fast));
    };
    EXPECT_NE(fault(changed([&](size_t r, size_t c) { return 2 * w[r * kCols + c]; })).find("times 2"),
              std::string::npos);
    EXPECT_NE(fault(changed([&](size_t r, size_t c) { return -w[r * kCols + c]; })).find("times -"),
              std::string::npos);
    // Written column by column; and the other way round, cut into columns of the wrong length.
    EXPECT_NE(fault(changed([&](size_t r, size_t c) {
                const size_t i = r * kCols + c;
                return w[i % kRows * kCols + i / kRows];
              })).find("transposed"),
              std::string::npos);
    EXPECT_NE(fault(changed([&](size_t r, size_t c) { return w[c * kRows + r]; })).find("transposed"),
              std::string::npos);
    EXPECT_NE(fault(changed([&](size_t r, size_t c) {
                return w[(r ^ 1) * kCols + c];
              })).find("another order: 0 holds 1"),
              std::string::npos);
    EXPECT_NE(fault(changed([&](size_t r, size_t c) {
                return w[(r * kCols + c + 32) % w.size()];
              })).find("begin 32 late"),
              std::string::npos);
    EXPECT_NE(fault(changed([](size_t, size_t) { return 0.f; })).find("it is zero"), std::string::npos);
  }
}

TEST(StorageNoise, FloatsMustBeEqualWhereTheTypeHoldsThem) {
  const std::vector<float> w = weights(5);
  EXPECT_EQ(fault_of(w, f32(), encoded(f32(), w, Effort::fast)), "");
  std::vector<float> wrong = w;
  wrong[1234] *= 1.01f;
  EXPECT_NE(fault_of(w, f32(), encoded(f32(), wrong, Effort::fast)), "");
}

}  // namespace
}  // namespace assay
