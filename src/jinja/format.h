// Python's two string formatters: `"%s" % x` and `"{}".format(x)`.
#pragma once
#include "jinja/call.h"
#include "jinja/runtime.h"

namespace assay::jinja {

/// `format % args`: a tuple gives several arguments, a dict named ones. Throws Fault as Python does.
Value format_printf(Meter& meter, const Text& format, const Value& args);

/// `format.format(*args, **kwargs)`, with item and attribute access by the rules of the sandbox. Throws
/// Fault.
Value format_braces(Runtime& runtime, const Text& format, const Call& call);

}  // namespace assay::jinja
