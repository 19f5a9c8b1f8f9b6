#include "cli/json_output.h"

#include "cli/terminal.h"

namespace assay::cli {

void print_json(const nlohmann::ordered_json& value) {
  print(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  print("\n");
}

}  // namespace assay::cli
