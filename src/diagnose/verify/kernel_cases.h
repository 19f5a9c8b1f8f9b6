// The inputs that verify gives to kernels, with the results that twin and exact say are right.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/kernel_set.h"
#include "diagnose/verify/bounds.h"

namespace assay {

/// What a case runs through, a function of cpu::KernelSet each: bits of KernelCase::functions.
enum KernelFunction : uint32_t {
  kRoundQ8K = 1 << 0,
  kRoundQ8_0 = 1 << 1,
  kProduct = 1 << 2,
  kUnpacked = 1 << 3,  // unpacked_q8_k or unpacked_q8_0, as the type's activations are
  kFloatTile = 1 << 4,
  kAttend = 1 << 5,
  kNormalize = 1 << 6,
  kActivate = 1 << 7,
  kSoftCap = 1 << 8,
  kAdd = 1 << 9,
  kAddScaled = 1 << 10,
  kRotate = 1 << 11,
};

/// One small computation. Everything random in it comes from the seed it was made with.
struct KernelCase {
  std::string op;                   // "linear", "attention", "round Q8_K"
  const QuantType* type = nullptr;  // of its weights
  std::string shape;                // for people
  uint32_t functions = 0;           // that it reaches in a set with a product of its own for `type`
  bool packed = true;               // products of tiles, else of blocks taken apart
  size_t width = 1;                 // results a token
  /// On any evaluator; null for what only kernels have.
  std::function<std::vector<float>(Ops&)> run;
  /// On a kernel set, when it is nothing that an evaluator does.
  std::function<std::vector<float>(const cpu::KernelSet&)> run_kernels;
  bool finite = true;           // false: infinities and NaN, which only twin is asked about
  std::vector<float> expected;  // twin's results
};

struct Mismatch {
  size_t token, row;
  float expected, found;
  size_t n_wrong;  // of the case's results
};

/// Every function of a kernel set, every type, awkward shapes: rows that are no multiple of a tile, 1 to 5
/// blocks, 1 to 33 tokens, windows, caps, biases, zero blocks, ties of rounding, NaN. `expected` is filled
/// in.
std::vector<KernelCase> make_kernel_cases(uint64_t seed, ThreadPool& pool);

/// Where the set's results differ from the expected ones in any bit (0 = -0 is no exception; NaN = NaN).
std::optional<Mismatch> compare(const KernelCase& c, const cpu::KernelSet& set, ThreadPool& pool);
/// The same for results at hand.
std::optional<Mismatch> compare(const KernelCase& c, std::span<const float> found);

/// An operation of a case that leaves its bound (bounds.h).
struct OutOfBound {
  std::string what;  // op and place, expected, found, bound: a sentence
};
/// Runs the case on an f32 evaluator and exact in lockstep; nothing for cases that exact is not asked about.
std::optional<OutOfBound> compare_with_exact(const KernelCase& c, Ops& evaluator, ThreadPool& pool);

/// Blocks of random bits whose weights are finite and ordinary (at most 8, not all below 1/1000).
std::vector<std::byte> random_blocks(const QuantType& type, size_t n_blocks, uint64_t seed);

}  // namespace assay
