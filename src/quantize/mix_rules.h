// The standard mixes as a table of rules. Internal to src/quantize. Source: llama-quant.cpp of llama.cpp
// v0.5.0, which the parity test runs beside it.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace assay {

/// The index of a mix in mixes().
enum MixId : uint8_t {
#define MIX(name, file_type, base) k##name,
#include "quantize/mixes.inc"
#undef MIX
};

/// What a tensor is for, told from its name.
enum Role : uint8_t {
  kOutput,  // or embeddings that stand for it
  kTokenEmbd,
  kAttnV,  // and what holds v beside others: the sensitive part of attention
  kAttnK,
  kAttnQ,
  kAttnOutput,
  kFfnUp,
  kFfnGate,
  kFfnDown,
  kOther,
};
constexpr size_t kRoles = kOther + 1;
Role role_of(std::string_view tensor_name);

/// True for names of what stays as it is: norms, routers, position tables, convolutions and other small
/// things.
bool is_never_quantized(std::string_view tensor_name);

/// A set of mixes, or of roles.
template <class Id>
struct SetOf {
  uint64_t bits = 0;
  constexpr SetOf(Id id) : bits(uint64_t(1) << id) {}
  constexpr SetOf(std::initializer_list<Id> ids) {
    for (const Id id : ids) bits |= uint64_t(1) << id;
  }
  static constexpr SetOf all() {
    SetOf set{};
    set.bits = ~uint64_t(0);
    return set;
  }
  constexpr bool has(Id id) const { return (bits >> id & 1) != 0; }
};
using Mixes = SetOf<MixId>;
using Roles = SetOf<Role>;

/// The mixes of about two bits and less.
inline constexpr Mixes kTwoBits = {kIQ1_S, kIQ1_M, kIQ2_XXS, kIQ2_XS, kIQ2_S, kIQ2_M};

/// What rules ask about a tensor and its model, as bits. Of layers: the tensor's place among those of its
/// role.
enum When : uint32_t {
  kAlways = 0,
  kGqa4 = 1 << 0,  // four query heads or more share a key/value head
  kExperts4 = 1 << 1,
  kExperts8 = 1 << 2,
  kFalcon = 1 << 3,
  kExpertMatrix = 1 << 4,  // several matrices in one tensor
  kRowsMisfit = 1 << 5,    // the base type's blocks do not divide the rows
  kImportance = 1 << 6,    // an importance matrix is given
  kNoImportance = 1 << 7,
  kFirst2 = 1 << 8,
  kFirst4 = 1 << 9,
  kFirst8th = 1 << 10,
  kFirst16th = 1 << 11,
  kMiddle = 1 << 12,    // neither in the first eighth nor in the last
  kMoreBits = 1 << 13,  // in the first or last eighth, or every third between
};

/// Gives tensors of these roles, in files of these mixes, `type` where all bits of `when` hold.
struct Rule {
  Mixes mixes;
  Roles roles;
  uint32_t when;
  std::string_view type;  // empty: the mix's base type
};
/// The first rule that applies decides; where none does, it is the base type.
std::span<const Rule> mix_rules();

/// What takes the place of a type whose blocks do not divide the rows; F16 where that does not fit either.
struct Fallback {
  std::string_view type, instead;
};
std::span<const Fallback> fallbacks();

}  // namespace assay
