// SHA-256 of a file's parts.
#pragma once
#include <span>
#include <string>

namespace assay {

/// 64 hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace assay
