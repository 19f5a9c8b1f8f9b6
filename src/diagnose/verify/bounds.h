// How far two correct evaluators may differ in one operation with equal inputs. Nothing here is measured or
// guessed: each bound follows from the arithmetic that docs/arithmetic.md states. u is the unit roundoff
// (2^-24 for f32, 2^-53 for f64), gamma(k) = k u / (1 - k u) bounds k roundings in a row (Higham, Accuracy
// and Stability of Numerical Algorithms, 2002, lemma 3.1).
//
// linear. Activations rounded to int8 blocks with step d: |x^ - x| <= h = d (1/2 + 127 * 4u): half a step,
// and what
//   the roundings of r = 1/d and r * x can move. Q8_0 then rounds d to f16, which adds 127 |d' - d| <=
//   127 max(2^-11 d, 2^-25). Over blocks b: |error| <= sum_b h_b sum |w| + gamma(2 n_blocks + 8) sum (|d
//   scale q| + |dmin min|) |x|; the last term is the f32 sum, two fma a block for types with mins. Float
//   types: gamma(n_cols) sum |w x|. A scale and a bias add one rounding each.
// norm. Sums over 16 lanes: n / 16 + 4 additions. r = 1 / sqrt(.) halves the relative error of its argument.
// The
//   mean of a layer norm is off by e = gamma(n / 16 + 6) mean|x|, which moves x - mean by e and r by
//   e sum|x - mean| / sum (x - mean)^2.
// rope. Cosine and sine are rounded once, then a product and an fma: 4u (|a| + |b|) magnitude.
// exp. Relative error at most 4u between -86 and 88: the reduced |r| < 0.347 is off by 0.7u, Taylor's
// remainder
//   r^8 / 8! is 0.12u, Horner's scheme loses at most 2u. Below -86 it is 0: e^-86 absolute.
// silu, gelu, soft cap: the formula with that exp, each operation rounding once.
// attention. A score is off by h = gamma(head_dim + 2) sum |q k| scale (a soft cap has slope <= 1 and adds
// 12u cap);
//   a weight of the softmax then by the factor exp(2 h + 2u range) and gamma of its roundings; the result by
//   that, times sum of weight |v|.
// store_kv. Rounding to f16 moves a number by max(2^-11 |x|, 2^-25), on each side. q8_0: a code moves by one
//   where x / d is within 4u |x / d| of half a code, else only f16 d moves, by max(2^-11 d, 2^-25) on each
//   side.
// embed: equal. add, scale: one and two roundings. expert_sum: gamma(n_used + 1) sum |weight slot|.
#pragma once
#include <optional>

#include "ops/lockstep_ops.h"

namespace assay {

/// The coarser arithmetic of a pair.
struct Arithmetic {
  double u;                 // unit roundoff
  bool rounds_activations;  // before products, as each type says
  /// Inputs and results passed through a dump of this unit roundoff (2^-24 for f32, 2^-11 for f16, 2^-9 for
  /// bf16), so that the evaluator had other inputs than the dump says: to first order |y'(x)| |x| u more in
  /// each operation.
  double dump_u = 0;
};
inline constexpr Arithmetic kF32Arithmetic{0x1p-24, true};   // twin, cpu
inline constexpr Arithmetic kF64Arithmetic{0x1p-53, false};  // exact

/// For every result of the step the largest difference between an evaluator of arithmetic `a` and one without
/// error, shaped as step.first. Infinity where the format cannot hold a number on the way. Two evaluators of
/// the same kind differ by at most twice that.
Values bound_of(const LockstepStep& step, const Arithmetic& a);

/// The errors of a product that rounds its activations, over all of its outputs: what the worst case of
/// single outputs hides (a wrong step, a rounding that is not to nearest) shows here.
///
/// Model: the rounding errors are independent and uniform in +- d/2, variance d^2/12. Uniform variables are
/// strictly sub-Gaussian, so for S = sum of squared errors = |A e|^2, with K = A A^T (outputs by outputs),
/// P(S > tr K + 2 |K|_F sqrt(t) + 2 |K| t) <= e^-t (Hsu, Kakade and Zhang 2012, theorem 1), and
/// P(S < tr K - 2 |K|_F sqrt(t)) <= e^-t (Laurent and Massart 2000, lemma 1). The errors that are no
/// rounding of activations come on top by the triangle inequality.
struct NoiseBand {
  double rms = 0;            // seen
  double low = 0, high = 0;  // each is left with a probability of at most 1e-9 by a correct evaluator
  double expected = 0;
  bool holds() const { return rms >= low && rms <= high; }
};
/// Null when the step is no product with rounded activations. Looks at up to 64 rows and 16 tokens.
std::optional<NoiseBand> noise_of(const LockstepStep& step, const Arithmetic& a);

/// The first result (row-major) outside its bound, or nothing. NaN is within the bound of NaN only.
struct Excess {
  size_t row, col;
  double first, second, bound;
};
std::optional<Excess> first_excess(const LockstepStep& step, const Values& bound);

}  // namespace assay
