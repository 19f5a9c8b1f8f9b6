#include "diagnose/dumps/npy_writer.h"

namespace assay {

std::string npy_header(std::span<const uint64_t> shape) {
  std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (const uint64_t n : shape) dict += std::to_string(n) + ", ";
  dict += "), }";
  dict.resize((10 + dict.size() + 64) / 64 * 64 - 10 - 1, ' ');
  dict += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + char(dict.size() & 255) + char(dict.size() >> 8) + dict;
}

}  // namespace assay
