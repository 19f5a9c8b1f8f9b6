// The sampler's random numbers: the same on every platform for a seed.
#pragma once
#include <bit>
#include <cstdint>

namespace assay {

/// xoshiro256** seeded through splitmix64 (Blackman and Vigna, "Scrambled linear pseudorandom number
/// generators", 2021).
class Rng {
 public:
  explicit Rng(uint64_t seed) noexcept {
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15u;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      word = z ^ (z >> 31);
    }
  }

  uint64_t next_bits() noexcept {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9, shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// A multiple of 2^-53 in [0, 1): the top 53 bits of the next word.
  double next_unit() noexcept { return double(next_bits() >> 11) * 0x1p-53; }

 private:
  uint64_t state_[4];
};

/// A seed from the system's entropy, for when the user gives none; below 2^32 so that it is short to type
/// again.
uint64_t entropy_seed();

}  // namespace assay
