// How much memory there is, and how much this process holds.
#pragma once
#include <cstdint>

namespace assay {

/// Bytes of physical memory; 0 when the system does not say.
uint64_t physical_memory_bytes() noexcept;
/// Bytes of this process that are in memory now, mapped files included; 0 when the system does not say.
uint64_t resident_bytes() noexcept;
/// The most that resident_bytes() ever was.
uint64_t peak_resident_bytes() noexcept;

}  // namespace assay
