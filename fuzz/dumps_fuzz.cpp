// A dump from bytes: it is read, every value of it, or refused by a LoadError or UsageError.
#include <cstddef>
#include <cstdint>
#include <span>

#include "diagnose/dumps/dump.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const assay::Dump dump = assay::Dump::parse(std::as_bytes(std::span(data, size)), "fuzz");
    uint64_t n_bytes = 0;
    for (const assay::DumpTensor& tensor : dump.tensors()) {
      if (tensor.f32().size() != tensor.n_values) __builtin_trap();
      n_bytes += tensor.bytes.size();
    }
    if (n_bytes > size) __builtin_trap();
  } catch (const assay::LoadError&) {
  } catch (const assay::UsageError&) {
  }
  return 0;
}
