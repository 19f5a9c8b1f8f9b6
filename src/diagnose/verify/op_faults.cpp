// Faults of the kernels that are no products: rounding, attention, norms, activations, sums, rotation.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/half.h"
#include "diagnose/verify/kernel_faults.h"

namespace assay {
namespace {

using namespace cpu;

const KernelSet& healthy() {
  return *replaced_kernel().set;
}

// -- Rounding of activations ------------------------------------------------------------------------------

using Round = float (*)(float);
float half_up(float x) {
  return std::floor(x + 0.5f);
}
float to_even(float x) {
  return std::nearbyint(x);
}
float toward_zero(float x) {
  return std::trunc(x);
}

void sum_up(RoundedQ8K& b) {
  for (size_t s = 0; s < 16; ++s) {
    int sum = 0;
    for (size_t i = 16 * s; i < 16 * s + 16; ++i) sum += b.q[i];
    b.sum16[s] = int16_t(sum);
    b.minus_sum16[s] = -sum;
  }
  for (size_t s = 0; s < 8; ++s) {
    b.sum32[s] = int16_t(b.sum16[2 * s] + b.sum16[2 * s + 1]);
    b.minus_sum32[s] = -b.sum32[s];
  }
}
void sum_up(RoundedQ8_0& b) {
  b.minus_sum = 0;
  for (const int8_t q : b.q) b.minus_sum -= q;
}

/// Healthy blocks, then change(block, its numbers).
template <class Block, class Change>
void round_then(const float* x, size_t n_blocks, Block* out, const Change& change) {
  if constexpr (std::is_same_v<Block, RoundedQ8K>)
    healthy().round_q8_k(x, n_blocks, out);
  else
    healthy().round_q8_0(x, n_blocks, out);
  for (size_t b = 0; b < n_blocks; ++b) change(out[b], x + b * sizeof(out->q));
}
/// New codes with another way to the nearest integer.
template <class Block>
void codes_by(Round round, Block& b, const float* x, float lowest = -127) {
  float m = 0;
  for (size_t i = 0; i < sizeof b.q; ++i)
    if (std::fabs(x[i]) > std::fabs(m)) m = x[i];
  if (m == 0 || !std::isfinite(b.d)) return;
  const float r = std::is_same_v<Block, RoundedQ8K> ? -127.0f / m : 1 / (std::fabs(m) / 127);
  for (size_t i = 0; i < sizeof b.q; ++i) b.q[i] = int8_t(std::clamp(round(r * x[i]), lowest, 127.0f));
  sum_up(b);
}

#define ROUND_K(...)                                                                        \
  [](KernelSet& s, uint32_t) {                                                              \
    s.round_q8_k = [](const float* x, size_t n, RoundedQ8K* out) noexcept { __VA_ARGS__; }; \
  }
#define ROUND_0(...)                                                                         \
  [](KernelSet& s, uint32_t) {                                                               \
    s.round_q8_0 = [](const float* x, size_t n, RoundedQ8_0* out) noexcept { __VA_ARGS__; }; \
  }
#define EACH_BLOCK(...)                                  \
  round_then(x, n, out, [](auto& b, const float* from) { \
    (void)from;                                          \
    __VA_ARGS__;                                         \
  })

// -- Attention --------------------------------------------------------------------------------------------

void with_spans(const AttendJob& job, void (*change)(size_t& begin, size_t& end)) {
  AttendJob j = job;
  for (size_t q = 0; q < j.n_queries; ++q) change(j.begin[q], j.end[q]);
  healthy().attend(j);
}

/// What attention in plain code does otherwise than docs/arithmetic.md.
struct Softmax {
  bool max = true, rescale_values = true, rescale_sum = true, divide = true, fused = true;
  size_t key_of = 0, value_of = 0;  // position j reads j - key_of, where there is one
};
float stored(const AttendJob& job, const void* base, size_t index, float d) {
  switch (job.stored) {
    case KvType::f32:
      return static_cast<const float*>(base)[index];
    case KvType::f16:
      return half_to_float(static_cast<const uint16_t*>(base)[index]);
    case KvType::q8_0:
      break;
  }
  return d * float(static_cast<const int8_t*>(base)[index]);
}
float stored_key(const AttendJob& job, size_t j, size_t d) {
  const size_t n_groups = job.head_dim / 32, tile = j / 16, lane = j % 16;
  const bool scaled = job.stored == KvType::q8_0;
  return stored(job, job.keys, (tile * job.head_dim + d) * 16 + lane,
                scaled ? job.key_scales[(tile * n_groups + d / 32) * 16 + lane] : 1);
}
float stored_value(const AttendJob& job, size_t j, size_t d) {
  const bool scaled = job.stored == KvType::q8_0;
  return stored(job, job.values, j * job.value_stride + d,
                scaled ? job.value_scales[j * (job.head_dim / 32) + d / 32] : 1);
}
/// Group g of a q8_0 cache takes the scale of group key_of(g), value_of(g).
void with_scales(const AttendJob& job, size_t (*key_of)(size_t), size_t (*value_of)(size_t)) {
  if (job.stored != KvType::q8_0) return healthy().attend(job);
  const size_t n_groups = job.head_dim / 32;
  const size_t n = (*std::max_element(job.end, job.end + job.n_queries) + kAttendTile - 1) / kAttendTile *
                   kAttendTile;  // the kernels read whole tiles
  std::vector<float> keys(n * n_groups), values(n * n_groups);
  for (size_t j = 0; j < n; ++j)
    for (size_t g = 0; g < n_groups; ++g) {
      const size_t tile = j / 16 * n_groups;
      keys[(tile + g) * 16 + j % 16] = job.key_scales[(tile + key_of(g)) * 16 + j % 16];
      values[j * n_groups + g] = job.value_scales[j * n_groups + value_of(g)];
    }
  AttendJob other = job;
  other.key_scales = keys.data();
  other.value_scales = values.data();
  healthy().attend(other);
}
/// Another exp, as good as the kernels', with other last bits.
float libm_exp(float x) {
  return float(std::exp(double(x)));
}

void attend_plain(const AttendJob& job, const Softmax& f) {
  for (size_t q = 0; q < job.n_queries; ++q) {
    std::vector<float> acc(job.head_dim);
    float top = f.max ? -std::numeric_limits<float>::infinity() : 0, sum = 0;
    for (size_t tile = job.begin[q] / kAttendTile * kAttendTile; tile < job.end[q]; tile += kAttendTile) {
      const size_t first = std::max(job.begin[q], tile), last = std::min(job.end[q], tile + kAttendTile);
      float score[kAttendTile], lane[16] = {}, new_top = top;
      for (size_t j = first; j < last; ++j) {
        const size_t key = j >= f.key_of ? j - f.key_of : j;
        float s = 0;
        for (size_t d = 0; d < job.head_dim; ++d) {
          const float k = stored_key(job, key, d);
          s = f.fused ? std::fma(job.queries[q][d], k, s) : s + job.queries[q][d] * k;
        }
        s *= job.scale;
        if (job.soft_cap != 0) healthy().soft_cap(&s, job.soft_cap, 1);
        score[j - tile] = s;
        if (f.max) new_top = std::max(new_top, s);
      }
      const float c = libm_exp(top - new_top);
      for (size_t j = first; j < last; ++j)
        lane[j % 16] += score[j - tile] = libm_exp(score[j - tile] - new_top);
      for (size_t step : {8u, 4u, 2u, 1u})
        for (size_t l = 0; l < step; ++l) lane[l] += lane[l + step];
      sum = std::fma(sum, f.rescale_sum ? c : 1, lane[0]);
      for (size_t d = 0; d < job.head_dim; ++d) {
        if (f.rescale_values) acc[d] *= c;
        for (size_t j = first; j < last; ++j) {
          const size_t at = j >= f.value_of ? j - f.value_of : j;
          acc[d] = std::fma(score[j - tile], stored_value(job, at, d), acc[d]);
        }
      }
      top = new_top;
    }
    for (size_t d = 0; d < job.head_dim; ++d) job.outs[q][d] = f.divide ? acc[d] * (1 / sum) : acc[d];
  }
}

#define ATTEND(...) \
  [](KernelSet& s, uint32_t) { s.attend = [](const AttendJob& job) noexcept { __VA_ARGS__; }; }

// -- Norms ------------------------------------------------------------------------------------------------

struct NormForm {
  bool root_of_sum = false;  // epsilon added to the root
  bool whole_lanes = false;  // the sum leaves out what does not fill 16 lanes
  bool one_lane = false;     // the sum in one lane
  bool minus_one = false;    // divided by n - 1
  float weight_offset = 0;
};
void normalize_plain(const NormForm& f, bool layer, float epsilon, const float* x, size_t n,
                     const float* weight, const float* bias, float* y) {
  const auto total = [&](auto of) {
    float lane[16] = {};
    for (size_t i = 0; i < (f.whole_lanes ? n / 16 * 16 : n); ++i) lane[f.one_lane ? 0 : i % 16] += of(i);
    for (size_t step : {8u, 4u, 2u, 1u})
      for (size_t l = 0; l < step; ++l) lane[l] += lane[l + step];
    return lane[0];
  };
  const float mean = layer ? total([&](size_t i) { return x[i]; }) / float(n) : 0;
  const float square = total([&](size_t i) { return (x[i] - mean) * (x[i] - mean); }) /
                       float(f.minus_one && n > 1 ? n - 1 : n);
  const float r = f.root_of_sum ? 1 / (std::sqrt(square) + epsilon) : 1 / std::sqrt(square + epsilon);
  for (size_t i = 0; i < n; ++i) {
    float v = (x[i] - mean) * r;
    if (weight) v *= weight[i] + f.weight_offset;
    y[i] = bias ? v + bias[i] : v;
  }
}

#define NORM(...)                                                                              \
  [](KernelSet& s, uint32_t) {                                                                 \
    s.normalize = [](bool layer, float epsilon, const float* x, size_t n, const float* weight, \
                     const float* bias, float* y) noexcept { __VA_ARGS__; };                   \
  }
#define ACTIVATE(...)                                                                        \
  [](KernelSet& s, uint32_t) {                                                               \
    s.activate = [](Unary f, float* x, const float* up, size_t n) noexcept { __VA_ARGS__; }; \
  }
#define SOFT_CAP(...) \
  [](KernelSet& s, uint32_t) { s.soft_cap = [](float* x, float cap, size_t n) noexcept { __VA_ARGS__; }; }
#define ADD(...) \
  [](KernelSet& s, uint32_t) { s.add = [](float* x, const float* y, size_t n) noexcept { __VA_ARGS__; }; }
#define ADD_SCALED(...)                                                                              \
  [](KernelSet& s, uint32_t) {                                                                       \
    s.add_scaled = [](float* out, float weight, const float* x, size_t n) noexcept { __VA_ARGS__; }; \
  }
#define ROTATE(...)                                                                                 \
  [](KernelSet& s, uint32_t) {                                                                      \
    s.rotate = [](float* head, const float* c, const float* sn, size_t n, bool adjacent) noexcept { \
      __VA_ARGS__;                                                                                  \
    };                                                                                              \
  }

void rotate_plain(float* head, const float* c, const float* s, size_t n_pairs, bool adjacent, bool fused) {
  for (size_t j = 0; j < n_pairs; ++j) {
    float& a = head[adjacent ? 2 * j : j];
    float& b = head[adjacent ? 2 * j + 1 : j + n_pairs];
    const float a0 = a, b0 = b;
    a = fused ? std::fma(a0, c[j], -(b0 * s[j])) : a0 * c[j] - b0 * s[j];
    b = fused ? std::fma(a0, s[j], b0 * c[j]) : a0 * s[j] + b0 * c[j];
  }
}

constexpr KernelFault kFaults[] = {
    // Q8_K
    {"half-up", kRoundQ8K, "halves round up instead of to even", "rare codes one off",
     ROUND_K(EACH_BLOCK(codes_by(half_up, b, from)))},
    {"truncated", kRoundQ8K, "codes round toward zero", "outputs biased toward zero",
     ROUND_K(EACH_BLOCK(codes_by(toward_zero, b, from)))},
    {"step-unsigned", kRoundQ8K, "the step loses its sign", "blocks with a positive peak are negated",
     ROUND_K(EACH_BLOCK(b.d = std::fabs(b.d)))},
    {"step-of-128", kRoundQ8K, "the step is the peak / 128 while codes are for 127", "outputs 1 % small",
     ROUND_K(EACH_BLOCK(b.d = b.d * 127 / 128))},
    {"step-in-f16", kRoundQ8K, "the step is rounded to f16", "errors of 2^-11",
     ROUND_K(EACH_BLOCK(b.d = half_to_float(float_to_half(b.d))))},
    {"last-block-stale", kRoundQ8K, "the last block is not rounded",
     "the last 256 columns count as something else",
     ROUND_K(std::memset(static_cast<void*>(out), 0, n * sizeof *out); healthy().round_q8_k(x, n - 1, out))},
    {"peak-of-half", kRoundQ8K, "the peak is sought in the first 128 numbers",
     "large numbers of the second half are cut",
     ROUND_K(round_then(x, n, out,
                        [](RoundedQ8K& b, const float* from) {
                          float m = 0;
                          for (size_t i = 0; i < 128; ++i)
                            if (std::fabs(from[i]) > std::fabs(m)) m = from[i];
                          if (m == 0 || !std::isfinite(b.d)) return;
                          for (size_t i = 0; i < 256; ++i)
                            b.q[i] = int8_t(std::clamp(std::nearbyint(-127 / m * from[i]), -127.0f, 127.0f));
                          b.d = 1 / (-127 / m);
                          sum_up(b);
                        }))},
    {"sums-of-fifteen", kRoundQ8K, "the sums leave out the last code of each 16",
     "types with mins or biased codes break", ROUND_K(EACH_BLOCK(for (size_t s = 0; s < 16; ++s) {
       b.sum16[s] = int16_t(b.sum16[s] - b.q[16 * s + 15]);
       b.minus_sum16[s] = -b.sum16[s];
     }))},
    {"wide-sums-stale", kRoundQ8K, "the sums over 32 stay those of 16", "types with sub-blocks of 32 break",
     ROUND_K(EACH_BLOCK(for (size_t s = 0; s < 8; ++s) {
       b.sum32[s] = b.sum16[2 * s];
       b.minus_sum32[s] = b.minus_sum16[2 * s];
     }))},
    {"nan-rounded-away", kRoundQ8K, "a block with NaN keeps a finite step", "a fault upstream is hidden",
     ROUND_K(EACH_BLOCK(if (std::isnan(b.d)) b.d = 1))},
    {"zero-block-divides", kRoundQ8K, "a block of zeros divides by its peak",
     "NaN after a masked or padded input",
     ROUND_K(EACH_BLOCK(if (b.d == 0) b.d = std::numeric_limits<float>::quiet_NaN()))},
    {"clamp-at-minus-128", kRoundQ8K, "codes are cut at -128 instead of -127", "none",
     ROUND_K(EACH_BLOCK(codes_by(to_even, b, from, -128))), nullptr, nullptr,
     "|x| <= |m| and r = -127 / m rounded once: |r x| < 127.5, so no code reaches the cut"},
    // Q8_0
    {"half-up", kRoundQ8_0, "halves round up instead of to even", "rare codes one off",
     ROUND_0(EACH_BLOCK(codes_by(half_up, b, from)))},
    {"truncated", kRoundQ8_0, "codes round toward zero", "outputs biased toward zero",
     ROUND_0(EACH_BLOCK(codes_by(toward_zero, b, from)))},
    {"step-not-rounded", kRoundQ8_0, "the step stays f32 instead of f16", "last bits differ",
     ROUND_0(round_then(x, n, out,
                        [](RoundedQ8_0& b, const float* from) {
                          float top = 0;
                          for (size_t i = 0; i < 32; ++i) top = std::max(top, std::fabs(from[i]));
                          if (std::isfinite(b.d)) b.d = top / 127;
                        }))},
    {"step-truncated", kRoundQ8_0, "the step is cut to f16 toward zero", "outputs small by up to 2^-10",
     ROUND_0(round_then(x, n, out,
                        [](RoundedQ8_0& b, const float* from) {
                          float top = 0;
                          for (size_t i = 0; i < 32; ++i) top = std::max(top, std::fabs(from[i]));
                          if (std::isfinite(b.d) && b.d > top / 127)
                            b.d = half_to_float(uint16_t(float_to_half(b.d) - 1));
                        }))},
    {"step-of-128", kRoundQ8_0, "the step is the peak / 128 while codes are for 127", "outputs 1 % small",
     ROUND_0(EACH_BLOCK(b.d = half_to_float(float_to_half(b.d * 127 / 128))))},
    {"step-of-neighbour", kRoundQ8_0, "every block takes the step of the one before", "noise",
     ROUND_0(healthy().round_q8_0(x, n, out); for (size_t b = n; b-- > 1;) out[b].d = out[b - 1].d)},
    {"last-block-stale", kRoundQ8_0, "the last block is not rounded",
     "the last 32 columns count as something else",
     ROUND_0(std::memset(static_cast<void*>(out), 0, n * sizeof *out); healthy().round_q8_0(x, n - 1, out))},
    {"sum-of-half", kRoundQ8_0, "the sum covers 16 of the 32 codes", "types with mins or biased codes break",
     ROUND_0(EACH_BLOCK(b.minus_sum = 0; for (size_t i = 0; i < 16; ++i) b.minus_sum -= b.q[i]))},
    {"nan-rounded-away", kRoundQ8_0, "a block with NaN keeps a finite step", "a fault upstream is hidden",
     ROUND_0(EACH_BLOCK(if (std::isnan(b.d)) b.d = 1))},
    {"zero-block-divides", kRoundQ8_0, "a block of zeros divides by its step",
     "NaN after a masked or padded input",
     ROUND_0(EACH_BLOCK(if (b.d == 0) b.d = std::numeric_limits<float>::quiet_NaN()))},
    {"clamp-at-minus-128", kRoundQ8_0, "codes are cut at -128 instead of -127", "none",
     ROUND_0(EACH_BLOCK(codes_by(to_even, b, from, -128))), nullptr, nullptr,
     "|x| / d <= 127 (1 + 3u) < 127.5: no code reaches the cut"},
    // attention
    {"end-late", kAttend, "a query sees the position after its own",
     "the future leaks; wrong from the first token",
     ATTEND(with_spans(job, [](size_t&, size_t& end) { ++end; }))},
    {"end-early", kAttend, "a query does not see its own position", "wrong from the second token",
     ATTEND(with_spans(job, [](size_t& begin, size_t& end) { end -= end - begin > 1; }))},
    {"window-short", kAttend, "the window is one position short", "wrong once the window is full",
     ATTEND(with_spans(job, [](size_t& begin, size_t& end) { begin += begin > 0 && end - begin > 1; }))},
    {"window-long", kAttend, "the window is one position long", "wrong once the window is full",
     ATTEND(with_spans(job, [](size_t& begin, size_t&) { begin -= begin > 0; }))},
    {"window-ignored", kAttend, "all earlier positions are seen", "wrong once the window is full",
     ATTEND(with_spans(job, [](size_t& begin, size_t&) { begin = 0; }))},
    {"first-position-lost", kAttend, "position 0 is masked", "the attention sink is gone",
     ATTEND(with_spans(job, [](size_t& begin, size_t& end) { begin += begin == 0 && end > 1; }))},
    {"tile-begin", kAttend, "a window begins at a multiple of 64", "wrong once the window is full",
     ATTEND(with_spans(job, [](size_t& begin, size_t&) { begin = begin / 64 * 64; }))},
    {"soft-cap-ignored", kAttend, "scores are not capped", "large scores win too clearly",
     ATTEND(AttendJob j = job; j.soft_cap = 0; healthy().attend(j))},
    {"scale-ignored", kAttend, "scores are not scaled", "attention too sharp",
     ATTEND(AttendJob j = job; j.scale = 1; healthy().attend(j))},
    {"scale-twice", kAttend, "scores are scaled twice", "attention too flat",
     ATTEND(AttendJob j = job; j.scale *= j.scale; healthy().attend(j))},
    {"last-query-dropped", kAttend, "the last query of a job is not computed",
     "single heads of single tokens are stale",
     ATTEND(AttendJob j = job; j.n_queries -= j.n_queries > 1; healthy().attend(j))},
    {"first-query-for-all", kAttend, "all queries of a job read the first", "heads of a group agree",
     ATTEND(AttendJob j = job; std::fill_n(j.queries, j.n_queries, j.queries[0]); healthy().attend(j))},
    {"heads-exchanged", kAttend, "two heads of a group write each other's place", "permuted heads",
     ATTEND(AttendJob j = job; if (j.n_queries > 1) std::swap(j.outs[0], j.outs[1]); healthy().attend(j))},
    {"last-dimension-dropped", kAttend, "the last number of a head is not written",
     "one column of each head is wrong",
     ATTEND(healthy().attend(job);
            for (size_t q = 0; q < job.n_queries; ++q) job.outs[q][job.head_dim - 1] = 0)},
    {"tail-dimensions-dropped", kAttend, "a head's tail that fills no vector is not written",
     "heads of 40 break",
     ATTEND(healthy().attend(job); for (size_t q = 0; q < job.n_queries; ++q)
                std::fill(job.outs[q] + job.head_dim / 16 * 16, job.outs[q] + job.head_dim, 0.0f))},
    {"softmax-without-max", kAttend, "the maximum is not subtracted",
     "overflow for large scores, else last bits", ATTEND(Softmax f; f.max = false; attend_plain(job, f))},
    {"values-not-rescaled", kAttend, "earlier tiles keep the weight of a lower maximum",
     "wrong after 64 positions", ATTEND(Softmax f; f.rescale_values = false; attend_plain(job, f))},
    {"sum-not-rescaled", kAttend, "the sum keeps the weight of a lower maximum",
     "too small after 64 positions", ATTEND(Softmax f; f.rescale_sum = false; attend_plain(job, f))},
    {"not-divided", kAttend, "the weights are not divided by their sum",
     "outputs too large, by another factor each query",
     ATTEND(Softmax f; f.divide = false; attend_plain(job, f))},
    {"unfused", kAttend, "multiplies and adds of scores round apart", "last bits differ between machines",
     ATTEND(Softmax f; f.fused = false; attend_plain(job, f))},
    {"other-exp", kAttend, "exp is the library's", "last bits differ between machines",
     ATTEND(attend_plain(job, {}))},
    {"key-shifted", kAttend, "position j reads the key of j - 1", "attention looks one token off",
     ATTEND(Softmax f; f.key_of = 1; attend_plain(job, f))},
    {"value-shifted", kAttend, "position j reads the value of j - 1", "attention takes the neighbour's value",
     ATTEND(Softmax f; f.value_of = 1; attend_plain(job, f))},
    {"key-scale-of-first-group", kAttend, "a q8_0 key has one scale, that of its first 32 numbers",
     "worse text with a q8_0 cache alone",
     ATTEND(with_scales(
         job, [](size_t) { return size_t(0); }, [](size_t g) { return g; }))},
    {"value-scale-of-first-group", kAttend, "a q8_0 value has one scale, that of its first 32 numbers",
     "worse text with a q8_0 cache alone",
     ATTEND(with_scales(
         job, [](size_t g) { return g; }, [](size_t) { return size_t(0); }))},
    // norms
    {"epsilon-missing", kNormalize, "epsilon is 0", "small activations grow",
     NORM(healthy().normalize(layer, epsilon * 0, x, n, weight, bias, y))},
    {"epsilon-outside", kNormalize, "epsilon is added to the root", "small activations shrink",
     NORM(normalize_plain({.root_of_sum = true}, layer, epsilon, x, n, weight, bias, y))},
    {"mean-kept", kNormalize, "a layer norm does not subtract the mean", "outputs shifted",
     NORM(healthy().normalize(false && layer, epsilon, x, n, weight, bias, y))},
    {"mean-subtracted", kNormalize, "an rms norm subtracts the mean", "outputs shifted",
     NORM(healthy().normalize(true || layer, epsilon, x, n, weight, bias, y))},
    {"weight-missing", kNormalize, "the weight is not applied", "outputs scaled by a constant vector",
     NORM((void)weight; healthy().normalize(layer, epsilon, x, n, nullptr, bias, y))},
    {"weight-plus-one", kNormalize, "the weight is taken as w + 1", "outputs scaled by a constant vector",
     NORM(normalize_plain({.weight_offset = 1}, layer, epsilon, x, n, weight, bias, y))},
    {"bias-missing", kNormalize, "the bias is not added", "outputs shifted by a constant vector",
     NORM((void)bias; healthy().normalize(layer, epsilon, x, n, weight, nullptr, y))},
    {"last-dropped", kNormalize, "the last number is not written", "one column is stale",
     NORM(healthy().normalize(layer, epsilon, x, n, weight, bias, y); y[n - 1] = 7)},
    {"tail-dropped", kNormalize, "numbers that fill no vector are not written", "tail columns are stale",
     NORM(healthy().normalize(layer, epsilon, x, n, weight, bias, y);
          std::fill(y + n / 16 * 16, y + n, 7.0f))},
    {"tail-not-summed", kNormalize, "the sum leaves out what fills no vector", "too large for odd lengths",
     NORM(normalize_plain({.whole_lanes = true}, layer, epsilon, x, n, weight, bias, y))},
    {"divided-by-n-1", kNormalize, "the variance is divided by n - 1", "outputs slightly small",
     NORM(normalize_plain({.minus_one = true}, layer, epsilon, x, n, weight, bias, y))},
    {"one-lane", kNormalize, "the sum goes in one lane", "last bits differ between machines",
     NORM(normalize_plain({.one_lane = true}, layer, epsilon, x, n, weight, bias, y))},
    // activations
    {"gelu-for-silu", kActivate, "GELU where SiLU is asked for", "slightly wrong everywhere",
     ACTIVATE((void)f; healthy().activate(Unary::gelu, x, up, n))},
    {"silu-for-gelu", kActivate, "SiLU where GELU is asked for", "slightly wrong everywhere",
     ACTIVATE((void)f; healthy().activate(Unary::silu, x, up, n))},
    {"gelu-erf", kActivate, "GELU with erf instead of tanh", "errors of 1e-4",
     ACTIVATE(if (f == Unary::silu) return healthy().activate(f, x, up, n);
              for (size_t i = 0; i < n; ++i) x[i] =
                  0.5f * x[i] * (1 + std::erf(x[i] * float(M_SQRT1_2))) * (up ? up[i] : 1))},
    {"up-ignored", kActivate, "the product with up is left out", "the FFN is garbage",
     ACTIVATE((void)up; healthy().activate(f, x, nullptr, n))},
    {"up-activated", kActivate, "up is activated instead of gate", "the FFN is garbage",
     ACTIVATE(if (!up) return healthy().activate(f, x, up, n); std::vector<float> u(up, up + n);
              healthy().activate(f, u.data(), x, n); std::copy(u.begin(), u.end(), x))},
    {"sigmoid-only", kActivate, "x / (1 + exp(-x)) loses its x", "outputs between 0 and 1",
     ACTIVATE(std::vector<float> before(x, x + n); healthy().activate(f, x, up, n);
              for (size_t i = 0; i < n; ++i) if (before[i] != 0) x[i] /= before[i])},
    {"last-dropped", kActivate, "the last number is skipped", "one column is wrong",
     ACTIVATE(healthy().activate(f, x, up, n - 1))},
    {"tail-dropped", kActivate, "numbers that fill no vector are skipped", "tail columns are wrong",
     ACTIVATE(healthy().activate(f, x, up, n / 16 * 16))},
    {"other-exp", kActivate, "exp is the library's", "last bits differ between machines",
     ACTIVATE(if (f == Unary::gelu) return healthy().activate(f, x, up, n);
              for (size_t i = 0; i < n; ++i) x[i] = x[i] / (1 + libm_exp(-x[i])) * (up ? up[i] : 1))},
    {"nan-swallowed", kActivate, "NaN becomes 0", "a fault upstream is hidden",
     ACTIVATE(healthy().activate(f, x, up, n);
              for (size_t i = 0; i < n; ++i) if (std::isnan(x[i])) x[i] = 0)},
    // soft cap
    {"ignored", kSoftCap, "nothing is done", "large numbers stay", SOFT_CAP((void)x, (void)cap, (void)n)},
    {"clamped", kSoftCap, "numbers are cut instead of bent", "slightly wrong below the cap",
     SOFT_CAP(for (size_t i = 0; i < n; ++i) x[i] = std::isnan(x[i]) ? x[i] : std::clamp(x[i], -cap, cap))},
    {"not-divided", kSoftCap, "cap * tanh(x)", "numbers reach the cap too soon",
     SOFT_CAP(healthy().soft_cap(x, 1, n); for (size_t i = 0; i < n; ++i) x[i] *= cap)},
    {"not-multiplied", kSoftCap, "tanh(x / cap)", "numbers between -1 and 1",
     SOFT_CAP(healthy().soft_cap(x, cap, n); for (size_t i = 0; i < n; ++i) x[i] /= cap)},
    {"last-dropped", kSoftCap, "the last number is skipped", "one column is wrong",
     SOFT_CAP(healthy().soft_cap(x, cap, n - 1))},
    {"tail-dropped", kSoftCap, "numbers that fill no vector are skipped", "tail columns are wrong",
     SOFT_CAP(healthy().soft_cap(x, cap, n / 16 * 16))},
    // add
    {"subtracted", kAdd, "y is subtracted", "the residual stream is garbage",
     ADD(for (size_t i = 0; i < n; ++i) x[i] -= y[i])},
    {"replaced", kAdd, "y replaces x", "the residual is lost", ADD(std::copy_n(y, n, x))},
    {"last-dropped", kAdd, "the last number is skipped", "one column is wrong",
     ADD(healthy().add(x, y, n - 1))},
    {"tail-dropped", kAdd, "numbers that fill no vector are skipped", "tail columns are wrong",
     ADD(healthy().add(x, y, n / 16 * 16))},
    {"shifted", kAdd, "y is read one further", "every column is wrong", ADD(healthy().add(x, y + 1, n - 1))},
    // sums of experts
    {"unfused", kAddScaled, "multiply and add round apart", "last bits differ between machines",
     ADD_SCALED(for (size_t i = 0; i < n; ++i) out[i] += weight * x[i])},
    {"weight-ignored", kAddScaled, "the router's weight is left out", "experts count equally",
     ADD_SCALED((void)weight; healthy().add_scaled(out, 1, x, n))},
    {"replaced", kAddScaled, "the sum restarts with each expert", "only the last expert counts",
     ADD_SCALED(std::fill_n(out, n, 0.0f); healthy().add_scaled(out, weight, x, n))},
    {"last-dropped", kAddScaled, "the last number is skipped", "one column is wrong",
     ADD_SCALED(healthy().add_scaled(out, weight, x, n - 1))},
    {"tail-dropped", kAddScaled, "numbers that fill no vector are skipped", "tail columns are wrong",
     ADD_SCALED(healthy().add_scaled(out, weight, x, n / 16 * 16))},
    // rope
    {"pairs-exchanged", kRotate, "adjacent pairs where halves are meant, and the other way",
     "garbage after position 0", ROTATE(healthy().rotate(head, c, sn, n, !adjacent))},
    {"sine-negated", kRotate, "the rotation goes backwards", "positions count down",
     ROTATE(std::vector<float> m(sn, sn + n); for (float& v
                                                   : m) v = -v;
            healthy().rotate(head, c, m.data(), n, adjacent))},
    {"sine-for-cosine", kRotate, "sine and cosine are exchanged", "garbage, position 0 included",
     ROTATE(healthy().rotate(head, sn, c, n, adjacent))},
    {"last-pair-kept", kRotate, "the last pair is not rotated", "the slowest pair stands still",
     ROTATE(std::vector<float> cc(c, c + n), ss(sn, sn + n); cc[n - 1] = 1; ss[n - 1] = 0;
            healthy().rotate(head, cc.data(), ss.data(), n, adjacent))},
    {"first-angle-for-all", kRotate, "all pairs turn by the first pair's angle", "distances blur",
     ROTATE(const std::vector<float> cc(n, c[0]), ss(n, sn[0]);
            healthy().rotate(head, cc.data(), ss.data(), n, adjacent))},
    {"unfused", kRotate, "multiplies and adds round apart", "last bits differ between machines",
     ROTATE(rotate_plain(head, c, sn, n, adjacent, false))},
    {"second-sign", kRotate, "b' = b c - a s", "a reflection instead of a rotation",
     ROTATE(rotate_plain(head, c, sn, n, adjacent, true);
            for (size_t j = 0; j < n; ++j) head[adjacent ? 2 * j + 1 : j + n] *= -1)},
};

}  // namespace

extern const std::span<const KernelFault> op_faults;
const std::span<const KernelFault> op_faults = kFaults;

}  // namespace assay
