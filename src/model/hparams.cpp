#include "model/hparams.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/rope.h"

namespace assay {

HparamReader::HparamReader(const GgufFile& file, std::string arch, size_t n_ctx)
    : file_(file), arch_(std::move(arch)), n_ctx_(n_ctx) {
  if (n_ctx_ == 0) n_ctx_ = find_size("context_length", 0, size_t(1) << 31);
}

void HparamReader::fail(std::string_view key, const std::string& problem) const {
  throw BadValue(file_.metadata().place(full(key)), problem);
}

void HparamReader::unsupported(std::string_view key, const std::string& problem) const {
  throw Unsupported(file_.metadata().place(full(key)), problem);
}

const Value* HparamReader::find(std::string_view key) {
  return file_.metadata().find(note(key));
}

size_t HparamReader::find_size(std::string_view key, size_t otherwise, size_t most, size_t least) {
  const std::string& name = note(key);
  const Value* value = file_.metadata().find(name);
  if (!value) return otherwise;
  uint64_t n = 0;
  if (value->type == GgufType::array) {
    const std::vector<int64_t> counts = file_.metadata().find_ints(name).value();
    if (counts.empty()) fail(key, "is an empty array");
    if (std::any_of(counts.begin(), counts.end(), [&](int64_t c) { return c != counts[0]; }))
      unsupported(key, "differs from layer to layer, which Assay does not run");
    if (counts[0] < 0) fail(key, "is negative");
    n = uint64_t(counts[0]);
  } else {
    n = file_.metadata().find_uint(name).value();
  }
  if (n < least || n > most) fail(key, fmt::format("is {}, allowed are {} to {}", n, least, most));
  return size_t(n);
}

size_t HparamReader::need_size(std::string_view key, size_t most, size_t least) {
  if (!find(key)) throw Missing(file_.metadata().place(full(key)), "the model needs this key");
  return find_size(key, 0, most, least);
}

double HparamReader::find_float(std::string_view key, double otherwise, double least, double most) {
  const std::optional<double> x = file_.metadata().find_float(note(key));
  if (x && !(*x >= least && *x <= most))
    fail(key, fmt::format("is {}, allowed are {} to {}", *x, least, most));
  return x.value_or(otherwise);
}

double HparamReader::need_float(std::string_view key, double least, double most) {
  if (!find(key)) throw Missing(file_.metadata().place(full(key)), "the model needs this key");
  return find_float(key, 0, least, most);
}

bool HparamReader::find_bool(std::string_view key, bool otherwise) {
  return file_.metadata().find_bool(note(key)).value_or(otherwise);
}

std::string_view HparamReader::find_string(std::string_view key, std::string_view otherwise) {
  return file_.metadata().find_string(note(key)).value_or(otherwise);
}

std::vector<int64_t> HparamReader::find_ints(std::string_view key) {
  return file_.metadata().find_ints(note(key)).value_or(std::vector<int64_t>{});
}

void HparamReader::warn(std::string_view key, std::string_view why) {
  if (find(key)) warnings_.push_back(fmt::format("key {} {}", printable(full(key)), why));
}

std::vector<std::string> HparamReader::warnings() const {
  std::vector<std::string> all = warnings_;
  for (const Metadata::Pair& pair : file_.metadata().pairs())
    if (pair.key.starts_with(arch_ + ".") && !seen_.contains(std::string(pair.key)))
      all.push_back(fmt::format("key {} is not understood; if it changes the computation, results are wrong",
                                printable(pair.key)));
  return all;
}

namespace {

/// Divisors of the frequencies, from a tensor of the file; empty when it has none of that name.
std::vector<float> read_factors(const GgufFile& file, std::string_view name, size_t n_values) {
  const TensorInfo* tensor = file.find(name);
  if (!tensor) return {};
  if (tensor->n_elements != n_values)
    throw ShapeMismatch(file.place(*tensor),
                        fmt::format("has {} values, RoPE has {} pairs", tensor->n_elements, n_values));
  std::vector<float> values(n_values);
  tensor->type->dequantize(file.data(*tensor).data(), n_values / tensor->type->block_elems, values.data());
  for (const float f : values)
    if (!(f > 0) || !std::isfinite(f))
      throw BadValue(file.place(*tensor), "has a factor that is not above 0");
  return values;
}

double read_rope_base(HparamReader& r, std::string_view key, double otherwise) {
  return r.find_float(key, otherwise, 1.001, 1e15);
}

Rope read_rope(HparamReader& r, const Hparams& h, Rope::Pairs pairs) {
  RopeSpec s;
  s.n_rot = r.find_size("rope.dimension_count", h.head_dim, h.head_dim);
  if (s.n_rot % 2 != 0) r.fail("rope.dimension_count", "is odd");
  s.base = read_rope_base(r, "rope.freq_base", 10000);
  s.magnitude = r.find_float("rope.scaling.attn_factor", 1, 1e-3, 1e3);
  const size_t n_ctx_original =
      r.find_size("rope.scaling.original_context_length", h.n_ctx_train, size_t(1) << 31);
  r.ignore("rope.scaling.finetuned");

  const std::string_view type = r.find_string("rope.scaling.type", "linear");
  if (type == "none") {
    r.ignore("rope.scaling.factor");
  } else if (type == "linear" || type == "yarn") {
    // Before scaling types had names, linear scaling was a key of its own. 0 stands for no scaling.
    const double old_factor = r.find_float("rope.scale_linear", 1, 0, 1e6);
    const double factor = r.find_float("rope.scaling.factor", old_factor, 0, 1e6);
    if (factor != 0) s.factor = std::max(factor, 1e-6);
  } else if (type != "longrope") {
    r.fail("rope.scaling.type",
           fmt::format("\"{}\" is not one of none, linear, yarn, longrope", printable(type)));
  }
  if (type == "yarn") {
    YarnSpec& yarn = s.yarn.emplace();
    yarn.n_ctx_original = double(n_ctx_original);
    yarn.extrapolation = r.find_float("rope.scaling.yarn_ext_factor", 1, 0, 1);
    yarn.beta_fast = r.find_float("rope.scaling.yarn_beta_fast", 32, 1e-6, 1e6);
    yarn.beta_slow = r.find_float("rope.scaling.yarn_beta_slow", 1, 1e-6, 1e6);
  }

  // Llama 3's factors hold for any context; LongRoPE has one set for contexts within the original length and
  // one for longer ones. One set serves the whole cache: keys rotated by both could not be compared.
  std::vector<float> factors = read_factors(r.file(), "rope_freqs.weight", s.n_rot / 2);
  if (factors.empty())
    factors = read_factors(
        r.file(), r.n_ctx() > n_ctx_original ? "rope_factors_long.weight" : "rope_factors_short.weight",
        s.n_rot / 2);
  s.factors = factors;
  return make_rope(s, pairs);
}

void read_experts(HparamReader& r, Hparams& h) {
  h.n_experts = r.find_size("expert_count", 0, 4096, 0);
  h.route.n_used = r.find_size("expert_used_count", 0, h.n_experts, h.n_experts == 0 ? 0 : 1);
  if (h.n_experts == 0) return;
  if (h.route.n_used == 0) r.need_size("expert_used_count", h.n_experts);
  h.d_ff_expert = r.find_size("expert_feed_forward_length", h.d_ff, 1u << 22);
  if (h.d_ff_expert == 0) r.need_size("expert_feed_forward_length", 1u << 22);
  if (r.find_size("expert_gating_func", 1, 64, 0) != 1)  // 1: softmax
    r.unsupported("expert_gating_func", "is not softmax (1), which alone Assay runs here");
  h.route.normalize = true;
  const double scale = r.find_float("expert_weights_scale", 1, 0, 1e6);
  if (scale != 0) h.route.scale = scale;  // 0 stands for none
}

}  // namespace

Hparams read_common_hparams(HparamReader& r, const Convention& convention) {
  Hparams h;
  h.arch = r.arch();
  h.n_layers = r.need_size("block_count", 4096);
  h.d_model = r.need_size("embedding_length", 1u << 20);
  h.n_ctx_train = r.need_size("context_length", size_t(1) << 31);
  h.n_heads = r.need_size("attention.head_count", 1u << 14);
  h.n_kv_heads = r.find_size("attention.head_count_kv", h.n_heads, 1u << 14);
  if (h.n_heads % h.n_kv_heads != 0) r.fail("attention.head_count_kv", "does not divide the number of heads");
  h.head_dim = r.find_size("attention.key_length", 0, 4096);
  if (h.head_dim == 0) {
    if (h.d_model % h.n_heads != 0) r.fail("attention.head_count", "does not divide the embedding length");
    h.head_dim = h.d_model / h.n_heads;
  }
  if (r.find_size("attention.value_length", h.head_dim, 4096) != h.head_dim)
    r.unsupported("attention.value_length", "differs from attention.key_length, which Assay does not run");
  if (!r.find_bool("attention.causal", true))
    r.unsupported("attention.causal", "is false: Assay runs causal models only");
  h.vocab_size = r.find_size("vocab_size", 0, 1u << 28);  // the token table decides
  r.ignore("tensor_data_layout");

  h.d_ff = r.find_size("feed_forward_length", 0, 1u << 22);
  read_experts(r, h);
  if (h.d_ff == 0 && h.n_experts == 0) r.need_size("feed_forward_length", 1u << 22);

  h.norm_kind = convention.norm;
  h.norm_epsilon = r.need_float(convention.norm == Norm::Kind::rms ? "attention.layer_norm_rms_epsilon"
                                                                   : "attention.layer_norm_epsilon",
                                1e-30, 1);
  h.attention_scale = 1 / std::sqrt(double(h.head_dim));
  if (convention.rope_pairs) h.rope = read_rope(r, h, *convention.rope_pairs);
  return h;
}

void read_local_layers(HparamReader& r, Hparams& h, size_t default_window, size_t default_period) {
  constexpr std::string_view kPattern = "attention.sliding_window_pattern";
  h.local.window = r.find_size("attention.sliding_window", default_window, size_t(1) << 31, 0);
  const Value* pattern = r.find(kPattern);
  if (h.local.window == 0) return;
  if (pattern && pattern->type == GgufType::array) {
    const std::vector<int64_t> flags = r.find_ints(kPattern);
    if (flags.size() != h.n_layers) r.fail(kPattern, "does not have one flag a layer");
    for (const int64_t flag : flags) h.local.layers.push_back(flag != 0);
    return;
  }
  const size_t period = r.find_size(kPattern, default_period, h.n_layers + 4096);
  for (size_t i = 0; i < h.n_layers; ++i) h.local.layers.push_back(i % period != period - 1);
}

Rope read_local_rope(HparamReader& r, const Hparams& h, double default_base) {
  RopeSpec s;
  s.n_rot = 2 * h.rope.frequencies.size();
  s.base = read_rope_base(r, "rope.freq_base_swa", default_base);
  return make_rope(s, h.rope.pairs);
}

}  // namespace assay
