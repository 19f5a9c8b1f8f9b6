// What faults of computation are made of: decorators that change one thing about the operations they are told
// of. Each maker returns null when `touches` is false. Changes are stated as functions of the operation's own
// parameters or numbers.
#pragma once
#include <cmath>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "diagnose/faults/fault.h"

namespace assay::ops_fault {

using Wrapped = std::unique_ptr<ForwardOps>;

/// Activations taken out of a backend, (n_rows, n_cols), row-major.
struct Values {
  size_t n_rows = 0, n_cols = 0;
  std::vector<double> numbers;

  Values(Ops& ops, Tensor from) : n_rows(from.n_rows), n_cols(from.n_cols), numbers(n_rows * n_cols) {
    ops.read(from, numbers.data());
  }
  std::span<double> row(size_t i) { return std::span(numbers).subspan(i * n_cols, n_cols); }
};

inline bool is(Name name, std::string_view base) {
  return name.base == base;
}

/// Parameters changed, then the operation as it is. `change` gets a copy.
Wrapped change_rope(Ops& inner, bool touches, std::function<void(Rope&, Name, size_t head_dim)> change);
Wrapped change_norm(Ops& inner, bool touches, std::function<void(Norm&, Name)> change);
Wrapped change_attention(Ops& inner, bool touches,
                         std::function<void(AttentionParams&, size_t layer)> change);
Wrapped change_linear(Ops& inner, bool touches, std::function<void(Linear&, Name)> change);
/// Another activation function: what becomes of (gate, up); up is 1 where the block has no gate.
Wrapped change_activation(Ops& inner, bool touches, double (*f)(double gate, double up));
/// Positions as rotations see them; `is_key` tells q from k.
Wrapped change_positions(Ops& inner, bool touches,
                         std::function<int32_t(int32_t position, bool is_key)> change);
/// Another angle than position * frequency, and other than exact cosines and sines.
struct Turn {
  double cosine, sine;
};
Wrapped change_turns(Ops& inner, bool touches, Turn (*turn)(double angle));

/// Results changed after the operation, in place. `change` is asked for every named result.
Wrapped change_results(Ops& inner, bool (*concerns)(Name), std::function<void(Name, Values&)> change,
                       bool touches = true);
/// What products read: changed before, restored after.
Wrapped change_inputs(Ops& inner, std::function<void(Name, Values&)> change);
/// Keys and values on the way into the cache; the tensors themselves stay. Numbers are (n_tokens, n_kv_heads
/// * head_dim).
Wrapped change_stored(Ops& inner, bool touches,
                      std::function<void(Values& k, Values& v, size_t head_dim)> change);
/// The choice of experts, after the healthy one; `logits` are the router's.
Wrapped change_routing(Ops& inner, bool touches,
                       std::function<void(Routing&, const RouteParams&, Values& logits)> change);
Wrapped change_route_params(Ops& inner, bool touches, std::function<void(RouteParams&)> change);
/// Additions into the residual stream that `leaves_out` names do not happen.
Wrapped skip_additions(Ops& inner, std::function<bool(Name)> leaves_out);

/// Attention written out, with its rules open to change. Positions count from the sequence's begin; n_rows of
/// the batch.
struct AttentionRules {
  std::function<size_t(size_t head, const AttentionParams&)> kv_head;
  std::function<bool(size_t query, size_t key)> sees;  // beside the window
  std::function<double(double score, double distance, size_t head, const AttentionParams&)>
      score;                                    // scaled and capped
  std::function<double(double weight)> weight;  // after soft-max
  bool divide = true;                           // by the denominator
  double sink = -HUGE_VAL;                      // a score more in the denominator
};
Wrapped change_rules(Ops& inner, bool touches, AttentionRules rules);

/// What models have.
bool rotates(const Model& model);
bool is_grouped(const Model& model);  // fewer kv heads than heads, more than one
bool has_rms(const Model& model);
bool has_layer_norm(const Model& model);
bool has_gate(const Model& model);
bool has_experts(const Model& model);
bool has_windows(const Model& model);
/// Any layer where `part` is there.
bool any_layer(const Model& model, bool (*has)(const Layer&));
/// Base of the rotation's frequencies, as the file has it.
double rope_base(const Model& model);
/// base^(-2j/n_rot), without scaling.
std::vector<double> plain_frequencies(double base, size_t n_pairs);

}  // namespace assay::ops_fault
