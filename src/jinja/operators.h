// Arithmetic of Python on template values.
#pragma once
#include <string_view>

#include "jinja/value.h"

namespace assay::jinja {

enum class BinaryOp { add, subtract, multiply, divide, floor_divide, modulo, power };

/// a OP b. Throws Fault: types that do not go together, division by zero, an int beyond 64 bits.
Value apply_binary(Meter& meter, BinaryOp op, const Value& a, const Value& b);
/// -a
Value negate(const Value& a);
/// +a
Value positive(const Value& a);

}  // namespace assay::jinja
