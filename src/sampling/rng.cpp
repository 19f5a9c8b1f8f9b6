#include "sampling/rng.h"

#include <random>

namespace assay {

uint64_t entropy_seed() {
  return std::random_device{}();
}

}  // namespace assay
