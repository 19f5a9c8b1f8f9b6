// The global functions of templates.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "jinja/runtime.h"

namespace assay::jinja {

/// Adds range, dict, namespace, cycler, joiner, raise_exception and strftime_now under their names.
void add_functions(std::map<std::string, Value, std::less<>>& variables);

}  // namespace assay::jinja
