// What the processor can do, found at run time.
#pragma once
#include <cstdint>
#include <string>

namespace assay {

enum CpuFlag : uint32_t {
  kAvx2Fma = 1,     // AVX2, FMA3, F16C
  kAvx512Vnni = 2,  // AVX-512 F, BW, DQ, VL and VNNI
  kAvx512Vbmi = 8,
  kAvx512Bf16 = 16,
  kNeonDot = 4,  // AArch64 Advanced SIMD with the dot product extension and half conversions
};

/// The flags of this machine, as a sum of CpuFlag bits.
uint32_t cpu_flags() noexcept;

/// AMD's number of the processor's family (25: Zen 3 and 4, 26: Zen 5); 0 for other makers.
uint32_t amd_family() noexcept;

/// The processor's name for reports; "unknown processor" where it cannot be read.
std::string cpu_name();

}  // namespace assay
