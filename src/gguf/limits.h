// What a GGUF file may hold. The format has no such bounds; far above every real file, they bound the memory
// and time that a hostile one can cost.
#pragma once
#include <cstdint>
#include <string_view>

namespace assay {

inline constexpr uint64_t kGgufHeaderBytes = 24;  // magic, version, tensor count, pair count
inline constexpr std::string_view kAlignmentKey = "general.alignment";
inline constexpr uint64_t kDefaultAlignment = 32;

inline constexpr uint64_t kMaxPairs = 100'000;
inline constexpr uint64_t kMaxTensors = 1'000'000;
inline constexpr uint64_t kMaxKeyBytes = 65'535;     // the format's own
inline constexpr uint64_t kMaxTensorNameBytes = 64;  // the format's own
inline constexpr uint64_t kMaxStringBytes = uint64_t(64) << 20;
inline constexpr uint64_t kMaxArrayElements = uint64_t(16) << 20;
inline constexpr uint32_t kMaxArrayDepth = 4;  // an array of numbers has depth 1
inline constexpr uint64_t kMinAlignment = 8, kMaxAlignment = uint64_t(1) << 20;
/// Memory for the views of all strings and nested arrays of one file: 8 Mi strings.
inline constexpr uint64_t kMaxViewBytes = uint64_t(128) << 20;

}  // namespace assay
