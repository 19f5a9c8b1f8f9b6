// Names and keys of model files that are split into parts. Source: llama.cpp's tools/gguf-split.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

inline constexpr std::string_view kSplitNoKey = "split.no";  // from 0
inline constexpr std::string_view kSplitCountKey = "split.count";
inline constexpr std::string_view kSplitTensorsKey = "split.tensors.count";  // of all parts together

/// The parts of a file name `PREFIX-0000I-of-0000N.gguf`.
struct SplitName {
  std::string prefix;   // folder included
  uint32_t number = 0;  // from 1
  uint32_t count = 0;
  /// The path of another part of the same file.
  std::filesystem::path part(uint32_t number_of_part) const;
};
/// nullopt when the name is not of this form.
std::optional<SplitName> split_name(const std::filesystem::path& path);

}  // namespace assay
