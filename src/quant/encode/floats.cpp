// Types whose scales are not f16, or that have none: F16, BF16, MXFP4, NVFP4.
#include <limits>

#include "quant/bf16.h"
#include "quant/encode/encoders.h"
#include "quant/encode/fit.h"
#include "quant/f16.h"
#include "quant/f32.h"
#include "quant/mxfp4.h"
#include "quant/nvfp4.h"

namespace assay {
namespace {

void encode_f32(const float* x, const float*, Effort, std::byte* out) {
  store_block(BlockF32{*x}, out);
}

void encode_f16(const float* x, const float*, Effort, std::byte* out) {
  store_block(BlockF16{float_to_half(std::clamp(*x, -65504.0f, 65504.0f))}, out);
}

void encode_bf16(const float* x, const float*, Effort, std::byte* out) {
  const float largest = bf16_to_float(0x7f7f);
  store_block(BlockBF16{float_to_bf16(std::clamp(*x, -largest, largest))}, out);
}

/// kFp4DoubledValues as levels.
struct Fp4Levels {
  static Lanes nearest(Lanes v) noexcept {
    const Lanes zero = all_lanes(0), magnitude = v < zero ? -v : v;
    Lanes level = zero;
    for (size_t k = 0; k < 7; ++k) {
      const float a = kFp4DoubledValues[k], b = kFp4DoubledValues[k + 1];
      level += magnitude > all_lanes((a + b) / 2) ? all_lanes(b - a) : zero;
    }
    return v < zero ? -level : level;
  }
};

void encode_mxfp4(const float* x, const float* importance, Effort effort, std::byte* out) {
  constexpr int kTopExponent = 252;  // the last whose largest weight, 12 * 2^(e - 128), is finite
  int peak_exponent = 0;             // peak in [1/2, 1) * 2^peak_exponent
  std::frexp(peak_of(x, 32), &peak_exponent);
  float scaled[32];  // to a peak in [1/2, 1), so that squares neither overflow nor vanish
  for (size_t i = 0; i < 32; ++i) scaled[i] = std::ldexp(x[i], -peak_exponent);
  // The largest level is 12 = 0.75 * 2^4: with d = 2^(peak_exponent - 4) it is the peak at most 4/3 too low.
  const int down = effort == Effort::fast ? 1 : 4;
  IntegerBlock best, trial;
  float best_error = std::numeric_limits<float>::infinity();
  for (int exponent = peak_exponent - 3; exponent >= peak_exponent - 3 - down; --exponent) {
    const int e = std::clamp(exponent + 128, 0, kTopExponent);
    trial.d = BlockMXFP4::scale_of(uint8_t(e));
    const float scale = std::ldexp(1.0f, e - 128 - peak_exponent);
    const float error = assign_codes<Fp4Levels>(scaled, importance, 32, scale, trial.q);
    if (!(error < best_error)) continue;
    best_error = error;
    best = trial;
  }
  BlockMXFP4 block;
  block.pack(best);
  store_block(block, out);
}

void encode_nvfp4(const float* x, const float* importance, Effort effort, std::byte* out) {
  constexpr int kTopCode = 0x7e;
  BlockNVFP4 block;
  for (size_t s = 0; s < 4; ++s, x += 16, importance += 16) {
    const float peak = std::abs(peak_of(x, 16));
    int covering = 0;  // the first scale whose largest level is not below the peak
    while (covering < kTopCode && 12 * BlockNVFP4::half_scale_of(uint8_t(covering)) < peak) ++covering;
    const int down = effort == Effort::fast ? 1 : effort == Effort::normal ? 12 : kTopCode;
    const int up = effort == Effort::fast ? 4 : effort == Effort::normal ? 9 : kTopCode;
    int8_t best[16], trial[16];
    float best_error = std::numeric_limits<float>::infinity();
    for (int code = std::max(covering - down, 0); code <= std::min(covering + up, kTopCode); ++code) {
      const float scale = BlockNVFP4::half_scale_of(uint8_t(code));
      const float error = assign_codes<Fp4Levels>(x, importance, 16, scale, trial);
      if (!(error < best_error)) continue;
      best_error = error;
      block.scales[s] = uint8_t(code);
      std::memcpy(best, trial, sizeof(best));
    }
    for (size_t j = 0; j < 8; ++j)
      block.qs[8 * s + j] = uint8_t(fp4_code(best[j]) | fp4_code(best[j + 8]) << 4);
  }
  store_block(block, out);
}

constexpr float kWholeRange = std::numeric_limits<float>::max();
constexpr std::array kEncoders{
    Encoder{BlockF32::facts.id, encode_f32, kWholeRange},
    Encoder{BlockF16::facts.id, encode_f16},
    Encoder{BlockBF16::facts.id, encode_bf16, kWholeRange},
    Encoder{BlockMXFP4::facts.id, encode_mxfp4, kWholeRange},
    Encoder{BlockNVFP4::facts.id, encode_nvfp4},
};

}  // namespace

std::span<const Encoder> float_encoders() noexcept {
  return kEncoders;
}

}  // namespace assay
