#include "quant/type_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "quant/table.h"

namespace assay {
namespace {

std::string_view name_of(Activations activations) {
  switch (activations) {
    case Activations::f32:
      return "f32";
    case Activations::q8_0:
      return "Q8_0";
    case Activations::q8_k:
      return "Q8_K";
  }
  return "";
}

}  // namespace

std::string quant_types_markdown() {
  std::string page =
      "# Types of stored weights\n\n"
      "Generated from the quant table (`src/quant/table.h`); rewrite it with `ASSAY_UPDATE_DOCS=1 "
      "quant_test`.\n"
      "The bits of a block are drawn at the top of the type's header.\n\n"
      "A type with integers decodes as `w = d * scale * q - dmin * min`, in f32 from left to right; the "
      "second term\n"
      "only where the table says that there are mins. One `scale` and `min` serve a sub-block; one `d` and "
      "`dmin` a\n"
      "block. *Products with* is how activations are rounded before a product with the type's weights.\n\n"
      "| type | id | weights a block | bytes | bits a weight | sub-block | mins | products with | header |\n"
      "| --- | --: | --: | --: | --: | --: | --- | --- | --- |\n";
  for (const QuantType& type : quant_types()) {
    std::string file(type.name);
    std::transform(file.begin(), file.end(), file.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    page += fmt::format("| {} | {} | {} | {} | {:.6g} | {} | {} | {} | `{}.h` |\n", type.name, type.id,
                        type.block_elems, type.block_bytes, type.bits_per_weight(), type.sub_elems,
                        type.has_mins ? "yes" : "", name_of(type.activations), file);
  }
  page += "\nIds that ggml once used and no longer reads are refused by name:";
  for (uint32_t id = 0; id < 64; ++id)
    if (const auto name = removed_quant_type(id)) page += fmt::format(" {} ({})", id, *name);
  page += ".\n";
  return page;
}

}  // namespace assay
