#include <algorithm>
#include <array>

#include "base/load_error.h"
#include "base/nearest_name.h"
#include "diagnose/faults/fault.h"

namespace assay {

#define FAMILY(table) extern const std::span<const Fault> faults_##table;
#include "diagnose/faults/families.inc"
#undef FAMILY

std::string_view family_name(FaultFamily family) noexcept {
  constexpr std::array kNames{"block decode",
                              "container and layout",
                              "tokenization",
                              "prompt and template",
                              "rope",
                              "attention",
                              "norm",
                              "ffn and experts",
                              "residual and head",
                              "kv cache",
                              "numerics"};
  return kNames[size_t(family)];
}

std::span<const Fault* const> faults() noexcept {
  static const std::vector<const Fault*> all = [] {
    std::vector<const Fault*> list;
    const auto add = [&](std::span<const Fault> family) {
      for (const Fault& fault : family) list.push_back(&fault);
    };
    (void)add;
#define FAMILY(table) add(faults_##table);
#include "diagnose/faults/families.inc"
#undef FAMILY
    return list;
  }();
  return all;
}

const Fault* find_fault(std::string_view id) noexcept {
  for (const Fault* fault : faults())
    if (fault->id == id) return fault;
  return nullptr;
}

const Fault& need_fault(std::string_view id) {
  if (const Fault* fault = find_fault(id)) return *fault;
  throw UsageError("\"" + printable(id) + "\" is not a fault; the nearest name is \"" +
                   std::string(nearest_name(id, faults(), [](const Fault* fault) { return fault->id; })) +
                   "\"");
}

const QuantType* faulty_type(const Fault& fault, const QuantType& healthy) noexcept {
  const auto* decode = std::get_if<DecodeFault>(&fault.injection);
  if (!decode) return nullptr;
  for (const QuantType& type : decode->types)
    if (type.id == healthy.id) return &type;
  return nullptr;
}

}  // namespace assay
