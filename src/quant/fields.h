// What the bytes of a block are, field by field.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "quant/table.h"

namespace assay {

struct BlockField {
  std::string_view name;  // as the type's header calls it: "qh"
  uint16_t first_byte, n_bytes;
  std::string_view what;
};

/// The fields of a type of quant_types() in the block's order; together they are all of its bytes.
std::span<const BlockField> block_fields(const QuantType& type) noexcept;

}  // namespace assay
