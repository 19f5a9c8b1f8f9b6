// One step from logits to a token: it changes logits or drops candidates.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sampling/candidates.h"
#include "sampling/history.h"
#include "sampling/params.h"
#include "sampling/rng.h"

namespace assay {

/// What a stage may look at, and memory that it may use between two tokens as it likes.
struct StageContext {
  const SamplingParams& params;
  const History& penalty_history;
  const History& dry_history;
  Rng& rng;
  struct Scratch {
    struct Scored {
      double score, probability;
      Candidate candidate;
    };
    std::vector<Scored> scored;
    std::vector<uint32_t> lengths;
    std::vector<uint32_t> by_token;  // one for each token, zero between stages; empty unless dry is on
  } & scratch;
};

/// Leaves at least one candidate. Does nothing when its params switch it off. Throws BadLogits when logits
/// overflowed.
struct Stage {
  std::string_view name;
  void (*apply)(Candidates& candidates, const StageContext& context);
  bool before_greedy;  // also runs when temperature <= 0: it can change which token is the best
};

#define STAGE(name, before_greedy) void apply_##name(Candidates& candidates, const StageContext& context);
#include "sampling/stages.inc"
#undef STAGE

inline constexpr Stage kStages[] = {
#define STAGE(name, before_greedy) {#name, apply_##name, before_greedy},
#include "sampling/stages.inc"
#undef STAGE
};

/// The stages that `order` names, separated by ';' ("top-k" and "top_k" are one name; blanks ignored, empty:
/// none). Throws UsageError on an unknown or repeated name.
std::vector<const Stage*> stages_of(std::string_view order);

}  // namespace assay
