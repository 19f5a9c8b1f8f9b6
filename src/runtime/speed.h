// How fast a loaded model prefills and generates.
#pragma once
#include <functional>
#include <vector>

#include "cpu/limits.h"
#include "runtime/loaded_model.h"
#include "runtime/session.h"

namespace assay {

struct SpeedOptions {
  size_t n_prompt = 512, n_generate = 64;
  size_t depth = 0;        // tokens in the KV cache before either
  size_t n_sequences = 1;  // generated at once, a token of each in one forward pass
  size_t n_rounds = 5;
  SessionOptions session;
};

/// Seconds of each round.
struct Speed {
  std::vector<double> prefill, generate;
};

/// Runs the rounds over fixed token ids; calls `beside` before the first and after each. Throws as Session's
/// constructor does.
Speed measure_speed(LoadedModel& model, const SpeedOptions& options, const std::function<void()>& beside);

/// Weight bytes that one generated token reads: every product's matrices, of experts only the chosen.
double bytes_per_token(const Model& model);
/// Bytes of keys and values that attention reads for each position that a token sees, all layers.
double kv_bytes_per_position(const Model& model, KvType type);
/// Seconds that one token's products take at the least at the rates of `limits`; a weight counts as the kind
/// of multiply-add that its type's products are of.
double product_seconds_per_token(const Model& model, const cpu::Limits& limits);

}  // namespace assay
