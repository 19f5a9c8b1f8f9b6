#include "base/cpu_flags.h"

#include <fstream>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace assay {

uint32_t cpu_flags() noexcept {
  uint32_t flags = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    flags |= kAvx2Fma;  // all of them have F16C
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni"))
    flags |= kAvx512Vnni;
  if (__builtin_cpu_supports("avx512vbmi")) flags |= kAvx512Vbmi;
  if (__builtin_cpu_supports("avx512bf16")) flags |= kAvx512Bf16;
#elif defined(__aarch64__) && defined(__linux__)
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) flags |= kNeonDot;
#elif defined(__aarch64__) && defined(__APPLE__)
  flags |= kNeonDot;  // every Mac with this processor
#endif
  return flags;
}

uint32_t amd_family() noexcept {
#if defined(__x86_64__)
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx && c == signature_AMD_ecx &&
      d == signature_AMD_edx && __get_cpuid(1, &a, &b, &c, &d))
    return (a >> 8 & 15) + (a >> 20 & 255);
#endif
  return 0;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  return "unknown processor";
}

}  // namespace assay
