// The head of .npy files, the form of logits and weights. Source of the format: numpy.org, NEP 1.
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace assay {

/// What comes before little-endian f32 numbers of `shape`, row-major: version 1, at most 8 dimensions.
std::string npy_header(std::span<const uint64_t> shape);

}  // namespace assay
