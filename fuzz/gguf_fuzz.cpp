// The GGUF reader: any bytes are read whole or refused with a LoadError; what loads survives being written
// anew.
#include <cstddef>
#include <cstdint>
#include <span>

#include "gguf/exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t n_bytes) {
  assay::load_and_exercise(std::as_bytes(std::span(data, n_bytes)));
  return 0;
}
