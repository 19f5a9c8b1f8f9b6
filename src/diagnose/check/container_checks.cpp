// Checks of the container: what a file says of itself against what it holds.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "diagnose/check/check.h"
#include "diagnose/compare/file_facts.h"
#include "quantize/mix.h"

namespace assay {
namespace {

using enum CheckStatus;

CheckResult run_structure(const CheckSubject& s) {
  CheckResult result;
  const Metadata& metadata = s.file->metadata();
  result.say(ok, fmt::format("GGUF version {}, {} keys, {} tensors in {}", s.file->version(),
                             metadata.pairs().size(), s.file->tensors().size(),
                             s.file->n_parts() == 1 ? "one file"
                                                    : fmt::format("{} parts, complete", s.file->n_parts())));
  if (s.file->tensors().empty()) result.say(fault, "it has no tensors");
  for (const char* key : {"general.architecture"})
    if (!metadata.contains(key)) result.say(fault, fmt::format("{} is missing", key));
  for (const char* key : {"general.name", "general.file_type", "general.quantization_version"})
    if (!metadata.contains(key) &&
        (std::string_view(key) != "general.quantization_version" || is_quantized(*s.file)))
      result.say(warning, fmt::format("{} is missing", key));
  std::map<std::string_view, size_t> names;
  for (const TensorInfo& tensor : s.file->tensors())
    if (tensor.name.size() >= 64)
      result.say(warning, fmt::format("the name {} is longer than the 63 bytes that ggml keeps",
                                      printable(tensor.name)));
  return result;
}

CheckResult run_size(const CheckSubject& s) {
  CheckResult result;
  uint64_t n_bytes = 0;
  std::map<uint32_t, uint64_t> ends;
  for (const TensorInfo& tensor : s.file->tensors()) {
    n_bytes += tensor.n_bytes;
    ends[tensor.part] = std::max(ends[tensor.part], tensor.file_offset + tensor.n_bytes);
  }
  result.say(ok, fmt::format("{} bytes, {} of them tensors, {:.3f} bits a weight", s.file->n_bytes(), n_bytes,
                             bits_per_weight(*s.file)));
  uint64_t used = 0;
  for (const auto& [part, end] : ends) used += end;
  const uint64_t slack = s.file->n_bytes() > used ? s.file->n_bytes() - used : 0;
  if (slack > s.file->alignment() * std::max<size_t>(ends.size(), 1))
    result.say(warning, fmt::format("{} bytes behind the last tensor belong to nothing", slack));
  return result;
}

/// Ids that forks of ggml gave to other layouts than ggml itself did.
struct Collision {
  uint32_t id;
  std::string_view elsewhere;
};
constexpr Collision kCollisions[] = {
    {39, "TL2 of microsoft/BitNet"},
    {40, "Q1_0 of PrismML's llama.cpp"},
    {41, "Q1_0_g128 of PrismML's llama.cpp and of ik_llama.cpp, TQ3_0 of TurboQuant's"},
};

CheckResult run_types(const CheckSubject& s) {
  CheckResult result;
  std::map<uint32_t, size_t> ids;
  for (const TensorInfo& tensor : s.file->tensors()) ++ids[tensor.type->id];
  result.say(ok, type_mix(*s.file));
  for (const Collision& c : kCollisions)
    if (ids.contains(c.id))
      result.say(
          warning,
          fmt::format("id {} is read as {} here, as ggml has it, and is {}: say where the file came from",
                      c.id, find_quant_type(c.id)->name, c.elsewhere));
  return result;
}

CheckResult run_file_type(const CheckSubject& s) {
  const auto id = s.file->metadata().find_uint("general.file_type");
  if (!id) return CheckResult::skip("general.file_type is missing");
  const Mix* named = nullptr;
  for (const Mix& mix : mixes())
    if (mix.file_type == *id) named = &mix;
  CheckResult result;
  if (!named) {
    result.say(warning, fmt::format("general.file_type {} is none that llama.cpp has", *id));
    return result;
  }
  std::map<const QuantType*, uint64_t> weights;
  for (const TensorInfo& tensor : s.file->tensors())
    if (tensor.n_dims > 1 && tensor.name != "token_embd.weight" && tensor.name != "output.weight")
      weights[tensor.type] += tensor.n_elements;
  if (weights.empty()) return CheckResult::skip("it has no matrices");
  const auto most = std::max_element(weights.begin(), weights.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most->first == named->base)
    result.say(ok, fmt::format("{} says {}, and most weights are", *id, named->name));
  else if (weights.contains(named->base))
    result.say(ok, fmt::format("{} says {}; most weights are {}", *id, named->name, most->first->name));
  else
    result.say(warning, fmt::format("{} says {}, and no matrix of the layers is {}: most are {}", *id,
                                    named->name, named->base->name, most->first->name));
  return result;
}

CheckResult run_companions(const CheckSubject& s) {
  CheckResult result;
  size_t n_with = 0, n_without = 0;
  std::string first;
  for (const TensorInfo& tensor : s.file->tensors()) {
    if (tensor.type->name != "NVFP4" || !tensor.name.ends_with(".weight")) continue;
    const std::string scale = std::string(tensor.name.substr(0, tensor.name.size() - 6)) + "scale";
    if (s.file->find(scale)) {
      ++n_with;
    } else {
      if (n_without++ == 0) first = scale;
    }
  }
  if (n_with + n_without == 0) return CheckResult::skip("no type here needs a scale beside its blocks");
  if (n_without == 0)
    result.say(ok, fmt::format("all {} NVFP4 tensors have their scale", n_with));
  else if (n_with > 0)
    result.say(fault, fmt::format("{} of {} NVFP4 tensors have no scale, the first {}", n_without,
                                  n_with + n_without, printable(first)));
  else
    result.say(warning, fmt::format("no NVFP4 tensor has a scale ({} and others): right only if all are 1",
                                    printable(first)));
  return result;
}

}  // namespace

extern const Check check_structure{
    "structure", "the file opens, its directory fits its bytes, its parts are complete", run_structure};
extern const Check check_size{"size", "every byte belongs to something", run_size};
extern const Check check_types{"types", "ids of types that forks use for other layouts", run_types};
extern const Check check_file_type{"file type", "general.file_type against the types that are there",
                                   run_file_type};
extern const Check check_companions{"companions", "types with a scale outside their blocks have it",
                                    run_companions};

}  // namespace assay
