#include "model/hparams.h"

#include <algorithm>
#include <cmath>

#include "model/rope.h"

namespace assay {

HparamReader::HparamReader(const GgufFile& file, std::string arch) : file_(file), arch_(std::move(arch)) {}

void HparamReader::fail(std::string_view key, const std::string& problem) const {
  throw BadValue(file_.metadata().place(full(key)), problem);
}

size_t HparamReader::find_size(std::string_view key, size_t otherwise, size_t most) {
  const std::string& name = note(key);
  const Value* value = file_.metadata().find(name);
  if (!value) return otherwise;
  uint64_t n = 0;
  if (value->type == GgufType::array) {
    const std::vector<int64_t> counts = file_.metadata().find_ints(name).value();
    if (counts.empty()) fail(key, "is an empty array");
    if (std::any_of(counts.begin(), counts.end(), [&](int64_t c) { return c != counts[0]; }))
      throw Unsupported(file_.metadata().place(name),
                        "differs from layer to layer, which Assay does not run");
    if (counts[0] < 0) fail(key, "is negative");
    n = uint64_t(counts[0]);
  } else {
    n = file_.metadata().find_uint(name).value();
  }
  if (n < 1 || n > most) fail(key, "is " + std::to_string(n) + ", allowed are 1 to " + std::to_string(most));
  return size_t(n);
}

size_t HparamReader::need_size(std::string_view key, size_t most) {
  const std::string& name = note(key);
  if (!file_.metadata().contains(name))
    throw Missing(file_.metadata().place(name), "the model needs this key");
  return find_size(key, 0, most);
}

double HparamReader::find_float(std::string_view key, double otherwise) {
  return file_.metadata().find_float(note(key)).value_or(otherwise);
}
double HparamReader::need_float(std::string_view key) {
  return file_.metadata().need_float(note(key));
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

std::vector<std::string> HparamReader::unread() const {
  std::vector<std::string> keys;
  for (const Metadata::Pair& pair : file_.metadata().pairs())
    if (pair.key.starts_with(arch_ + ".") && !seen_.contains(std::string(pair.key)))
      keys.emplace_back(pair.key);
  return keys;
}

namespace {

std::vector<float> read_factors(const GgufFile& file, std::string_view name, size_t n_values) {
  const TensorInfo* tensor = file.find(name);
  if (!tensor) return {};
  if (tensor->n_elements != n_values)
    throw ShapeMismatch(file.place(*tensor), "has " + std::to_string(tensor->n_elements) +
                                                 " values, RoPE has " + std::to_string(n_values) + " pairs");
  std::vector<float> values(n_values);
  tensor->type->dequantize(file.data(*tensor).data(), n_values / tensor->type->block_elems, values.data());
  for (float f : values)
    if (!(f > 0) || !std::isfinite(f))
      throw BadValue(file.place(*tensor), "has a factor that is not above 0");
  return values;
}

Rope read_rope(HparamReader& r, const Hparams& h) {
  RopeSpec s;
  s.n_rot = r.find_size("rope.dimension_count", h.head_dim, h.head_dim);
  if (s.n_rot % 2 != 0) r.fail("rope.dimension_count", "is odd");
  s.base = r.find_float("rope.freq_base", 10000);
  if (!(s.base > 1)) r.fail("rope.freq_base", "must be above 1");
  const std::string_view type = r.find_string("rope.scaling.type", "linear");
  // Before scaling types had names, linear scaling was a key of its own.
  const double factor = r.find_float("rope.scaling.factor", r.find_float("rope.scale_linear", 1));
  if (factor < 0) r.fail("rope.scaling.factor", "is negative");
  s.n_ctx_original = double(r.find_size("rope.scaling.original_context_length", h.n_ctx_train, 1u << 31));
  r.ignore("rope.scaling.finetuned");
  s.attention = r.find_float("rope.scaling.attn_factor", 1);
  if (type == "linear" || type == "yarn") {
    s.factor = factor == 0 ? 1 : factor;
  } else if (type != "none" && type != "longrope") {
    r.fail("rope.scaling.type", "\"" + printable(type) + "\" is not one of none, linear, yarn, longrope");
  }
  if (type == "yarn") {
    s.yarn = true;
    s.extrapolation = r.find_float("rope.scaling.yarn_ext_factor", 1);
    s.attention *= r.find_float("rope.scaling.yarn_attn_factor", 1);
    s.beta_fast = r.find_float("rope.scaling.yarn_beta_fast", 32);
    s.beta_slow = r.find_float("rope.scaling.yarn_beta_slow", 1);
  }
  const std::vector<float> factors = read_factors(r.file(), "rope_freqs.weight", s.n_rot / 2);
  s.factors = factors;
  return make_rope(s, Rope::Pairs::adjacent);
}

}  // namespace

Hparams read_common_hparams(HparamReader& r) {
  Hparams h;
  h.arch = r.arch();
  h.n_layers = r.need_size("block_count", 4096);
  h.d_model = r.need_size("embedding_length", 1u << 20);
  h.d_ff = r.find_size("feed_forward_length", 4 * h.d_model, 1u << 22);
  h.n_ctx_train = r.need_size("context_length", 1u << 31);
  h.n_heads = r.need_size("attention.head_count", 1u << 14);
  h.n_kv_heads = r.find_size("attention.head_count_kv", h.n_heads, 1u << 14);
  if (h.n_heads % h.n_kv_heads != 0) r.fail("attention.head_count_kv", "does not divide the number of heads");
  h.head_dim = r.find_size("attention.key_length", 0, 4096);
  if (h.head_dim == 0) {
    if (h.d_model % h.n_heads != 0) r.fail("attention.head_count", "does not divide the embedding length");
    h.head_dim = h.d_model / h.n_heads;
  }
  if (r.find_size("attention.value_length", h.head_dim, 4096) != h.head_dim)
    r.fail("attention.value_length", "differs from attention.key_length, which Assay does not run");
  h.vocab_size = r.find_size("vocab_size", 0, 1u << 28);  // checked against the token table by the model

  const bool rms = r.file().metadata().contains(r.arch() + ".attention.layer_norm_rms_epsilon");
  h.norm_kind = rms ? Norm::Kind::rms : Norm::Kind::layer;
  const char* epsilon_key = rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  h.norm_epsilon = r.need_float(epsilon_key);
  if (!(h.norm_epsilon > 0) || h.norm_epsilon > 1) r.fail(epsilon_key, "must be above 0 and at most 1");

  h.n_experts = r.find_size("expert_count", 0, 4096);
  if (h.n_experts != 0) {
    h.n_experts_used = r.need_size("expert_used_count", h.n_experts);
    h.d_ff_expert = r.find_size("expert_feed_forward_length", h.d_ff, 1u << 22);
  }
  h.attention_scale = 1 / std::sqrt(double(h.head_dim));
  h.rope = read_rope(r, h);
  return h;
}

}  // namespace assay
