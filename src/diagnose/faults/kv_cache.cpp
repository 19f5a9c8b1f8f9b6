// Faults of the KV cache: what is stored, and where.
#include <algorithm>
#include <cmath>

#include "diagnose/faults/ops_fault.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

using namespace ops_fault;

/// Row i gets what row i - 1 had; the first stays.
void shift_rows(Values& x) {
  for (size_t i = x.n_rows; i-- > 1;) std::copy_n(x.row(i - 1).begin(), x.n_cols, x.row(i).begin());
}

/// E4M3 without a scale: 3 bits of mantissa, 2^-9 the least step, 448 the most.
double to_e4m3(double x) {
  if (x == 0) return 0;
  const double step = std::exp2(std::max(std::floor(std::log2(std::abs(x))), -6.0) - 3);
  return std::clamp(std::nearbyint(x / step) * step, -448.0, 448.0);
}

/// Four bits a number, one scale for 32: the least that engines offer.
void to_q4(Values& x) {
  for (size_t begin = 0; begin < x.numbers.size(); begin += 32) {
    const std::span<double> block(x.numbers.data() + begin, std::min<size_t>(32, x.numbers.size() - begin));
    double top = 0;
    for (const double v : block)
      if (std::abs(v) > std::abs(top)) top = v;
    const double d = top / -8;
    for (double& v : block) v = d == 0 ? 0 : d * std::clamp(std::nearbyint(v / d), -8.0, 7.0);
  }
}

void transpose_heads(Values& x, size_t head_dim) {
  const std::vector<double> healthy = x.numbers;
  const size_t n_heads = x.n_cols / head_dim;
  for (size_t i = 0; i < x.n_rows; ++i)
    for (size_t h = 0; h < n_heads; ++h)
      for (size_t c = 0; c < head_dim; ++c)
        x.row(i)[c * n_heads + h] = healthy[i * x.n_cols + h * head_dim + c];
}

const Fault kFaults[] = {
    {"kv-exchanged", FaultFamily::kv_cache, "Keys and values are exchanged.", "every model", "nonsense",
     "store k with k, v with v; fused projections hold q, k, v in this order", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_stored(inner, true,
                            [](Values& k, Values& v, size_t) { std::swap(k.numbers, v.numbers); });
     }}},
    {"kv-value-of-previous", FaultFamily::kv_cache, "Values are stored one position late; keys are right.",
     "prompts of more than one token", "text lags behind by a word", "write k and v with one index",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_stored(inner, true, [](Values&, Values& v, size_t) { shift_rows(v); });
     }}},
    {"kv-late", FaultFamily::kv_cache, "Keys and values are stored one position late.",
     "prompts of more than one token", "a token does not see itself, the first one counts twice",
     "write at the token's position before attention reads",
     "https://github.com/tinygrad/tinygrad/commit/5181c8e23a",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_stored(inner, true, [](Values& k, Values& v, size_t) { shift_rows(k), shift_rows(v); });
     }}},
    {"kv-newest-missing", FaultFamily::kv_cache,
     "The newest token's key and value are not there yet when attention reads: zeros.", "every model",
     "the last token of a prompt has no effect on the next",
     "store before attention; mind the order of the two on a GPU", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_stored(inner, true, [](Values& k, Values& v, size_t) {
         std::ranges::fill(k.row(k.n_rows - 1), 0.0);
         std::ranges::fill(v.row(v.n_rows - 1), 0.0);
       });
     }}},
    {"kv-stale-beginning", FaultFamily::kv_cache, "The first four positions hold zeros.",
     "prompts of more than four tokens",
     "no BOS to rest attention on; a second prompt differs from a fresh run",
     "clear or refill the cache between prompts", "https://github.com/tinygrad/tinygrad/commit/891a73befc",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_stored(inner, true, [](Values& k, Values& v, size_t) {
         for (size_t i = 0; i < std::min<size_t>(4, k.n_rows); ++i)
           std::ranges::fill(k.row(i), 0.0), std::ranges::fill(v.row(i), 0.0);
       });
     }}},
    {"kv-first-head-only", FaultFamily::kv_cache, "Only the first key head is stored; the others stay 0.",
     "more than one key head", "nonsense", "stride by n_kv_heads * head_dim", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_stored(inner, m.hparams().n_kv_heads > 1, [](Values& k, Values& v, size_t head_dim) {
         for (size_t i = 0; i < k.n_rows; ++i)
           std::ranges::fill(k.row(i).subspan(head_dim), 0.0),
               std::ranges::fill(v.row(i).subspan(head_dim), 0.0);
       });
     }}},
    {"kv-keys-transposed", FaultFamily::kv_cache,
     "Keys are stored (head_dim, n_kv_heads) and read (n_kv_heads, head_dim).", "more than one key head",
     "nonsense", "one order for writer and reader", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_stored(inner, m.hparams().n_kv_heads > 1,
                            [](Values& k, Values&, size_t head_dim) { transpose_heads(k, head_dim); });
     }}},
    {"kv-values-transposed", FaultFamily::kv_cache,
     "Values are stored (head_dim, n_kv_heads) and read (n_kv_heads, head_dim).", "more than one key head",
     "nonsense", "one order for writer and reader", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_stored(inner, m.hparams().n_kv_heads > 1,
                            [](Values&, Values& v, size_t head_dim) { transpose_heads(v, head_dim); });
     }}},
    {"kv-heads-reversed", FaultFamily::kv_cache, "Key heads are stored in the reverse order.",
     "more than one key head", "nonsense", "head h at h * head_dim", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_stored(inner, m.hparams().n_kv_heads > 1, [](Values& k, Values& v, size_t head_dim) {
         for (Values* x : {&k, &v}) {
           const std::vector<double> healthy = x->numbers;
           const size_t n_heads = x->n_cols / head_dim;
           for (size_t i = 0; i < x->n_rows; ++i)
             for (size_t h = 0; h < n_heads; ++h)
               std::copy_n(healthy.begin() + ptrdiff_t(i * x->n_cols + h * head_dim), head_dim,
                           x->row(i).begin() + ptrdiff_t((n_heads - 1 - h) * head_dim));
         }
       });
     }}},
    {"kv-f8", FaultFamily::kv_cache, "Keys and values are kept as 8-bit floats (E4M3) without a scale.",
     "every model", "slightly worse text; small values vanish", "scale, or keep the cache in f16",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_stored(inner, true, [](Values& k, Values& v, size_t) {
         for (Values* x : {&k, &v})
           for (double& y : x->numbers) y = to_e4m3(y);
       });
     }}},
    {"kv-q4", FaultFamily::kv_cache, "Keys and values are kept as Q4_0.",
     "models with outliers in k, qwen 2.5 first", "worse text with a quantized cache alone",
     "keep keys in f16 or Q8_0", "https://github.com/ggml-org/llama.cpp/issues/21385",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_stored(inner, true, [](Values& k, Values& v, size_t) { to_q4(k), to_q4(v); });
     }}},
};

}  // namespace

extern const std::span<const Fault> faults_kv_cache = kFaults;

}  // namespace assay
