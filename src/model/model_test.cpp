// Loading: what is refused, what is reported, and how keys become hyperparameters. Files are edits of tiny
// golden models.
#include "model/model.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "gguf/writer.h"

namespace assay {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

/// A tiny golden model with keys and tensors replaced, dropped or added.
class Edit {
 public:
  explicit Edit(const std::string& model)
      : file_(GgufFile::open(ASSAY_SOURCE_DIR "/tests/golden/models/tiny/" + model + ".gguf")) {}

  template <class T>
  Edit& set(const std::string& key, const T& value) {
    changed_.insert(key);
    additions_.push_back([=](GgufWriter& w) { w.add(key, value); });
    return *this;
  }
  template <class T>
  Edit& set_array(const std::string& key, const std::vector<T>& values) {
    changed_.insert(key);
    additions_.push_back([=](GgufWriter& w) { w.add_array(key, values); });
    return *this;
  }
  Edit& drop(const std::string& key_or_tensor) {
    changed_.insert(key_or_tensor);
    return *this;
  }
  /// An f32 tensor, dims[0] the row length.
  Edit& tensor(const std::string& name, const std::vector<uint64_t>& dims, float value = 1) {
    changed_.insert(name);
    uint64_t n = 1;
    for (const uint64_t d : dims) n *= d;
    data_.push_back(std::vector<float>(n, value));
    additions_.push_back([name, dims, bytes = std::as_bytes(std::span(data_.back()))](GgufWriter& w) {
      w.add_tensor(name, *find_quant_type("F32"), dims, bytes);
    });
    return *this;
  }

  Hparams hparams() { return load()->hparams(); }
  std::vector<std::string> warnings() { return load()->warnings(); }
  std::unique_ptr<Model> load(size_t n_ctx = 0) {
    GgufWriter w;
    for (const Metadata::Pair& pair : file_.metadata().pairs())
      if (!changed_.contains(std::string(pair.key))) w.add(pair.key, pair.value);
    for (const TensorInfo& t : file_.tensors())
      if (!changed_.contains(std::string(t.name)))
        w.add_tensor(t.name, *t.type, std::span(t.dims, t.n_dims), file_.data(t));
    for (const auto& add : additions_) add(w);
    bytes_ = w.to_bytes();
    return std::make_unique<Model>(GgufFile::parse(bytes_, "edited.gguf"), n_ctx);
  }
  /// The message of the LoadError that loading throws; empty when it throws none.
  std::string refusal() {
    try {
      load();
    } catch (const LoadError& e) {
      return e.what();
    }
    return {};
  }

 private:
  GgufFile file_;
  std::set<std::string> changed_;
  std::vector<std::function<void(GgufWriter&)>> additions_;
  std::deque<std::vector<float>> data_;
  std::vector<std::byte> bytes_;
};

TEST(Model, RefusesWhatItCannotRunNamingFileAndItem) {
  const struct {
    const char* problem;
    std::function<void(Edit&)> change;
    const char* item;
    const char* says;
  } cases[] = {
      {"unknown architecture", [](Edit& e) { e.set("general.architecture", "mamba"); },
       "general.architecture", "\"mamba\" is not an architecture"},
      {"no architecture", [](Edit& e) { e.drop("general.architecture"); }, "general.architecture", ""},
      {"key absent", [](Edit& e) { e.drop("llama.block_count"); }, "llama.block_count", "needs this key"},
      {"key of a wrong type", [](Edit& e) { e.set("llama.block_count", "two"); }, "llama.block_count", ""},
      {"no layers", [](Edit& e) { e.set("llama.block_count", 0u); }, "llama.block_count",
       "is 0, allowed are 1 to"},
      {"layers that are not there", [](Edit& e) { e.set("llama.block_count", 3u); }, "blk.2.attn_norm.weight",
       "no such tensor"},
      {"no heads", [](Edit& e) { e.set("llama.attention.head_count", 0u); }, "llama.attention.head_count",
       "is 0"},
      {"heads that do not share out", [](Edit& e) { e.set("llama.attention.head_count_kv", 3u); },
       "llama.attention.head_count_kv", "does not divide"},
      {"heads that do not divide d_model", [](Edit& e) { e.set("llama.attention.head_count", 6u); },
       "llama.attention.head_count", "does not divide"},
      {"layers that differ",
       [](Edit& e) {
         e.set_array("llama.attention.head_count_kv", std::vector<int32_t>{2, 4});
       },
       "llama.attention.head_count_kv", "differs from layer to layer"},
      {"negative count",
       [](Edit& e) {
         e.set_array("llama.attention.head_count_kv", std::vector<int32_t>{-2, -2});
       },
       "llama.attention.head_count_kv", "negative"},
      {"values of another width", [](Edit& e) { e.set("llama.attention.value_length", 16u); },
       "llama.attention.value_length", "differs from attention.key_length"},
      {"an encoder", [](Edit& e) { e.set("llama.attention.causal", false); }, "llama.attention.causal",
       "causal"},
      {"epsilon absent", [](Edit& e) { e.drop("llama.attention.layer_norm_rms_epsilon"); },
       "llama.attention.layer_norm_rms_epsilon", "needs this key"},
      {"epsilon 0", [](Edit& e) { e.set("llama.attention.layer_norm_rms_epsilon", 0.0f); },
       "llama.attention.layer_norm_rms_epsilon", "allowed are"},
      {"epsilon NaN",
       [](Edit& e) {
         e.set("llama.attention.layer_norm_rms_epsilon", std::numeric_limits<float>::quiet_NaN());
       },
       "llama.attention.layer_norm_rms_epsilon", ""},
      {"rotation of half a pair", [](Edit& e) { e.set("llama.rope.dimension_count", 7u); },
       "llama.rope.dimension_count", "is odd"},
      {"rotation beyond the head", [](Edit& e) { e.set("llama.rope.dimension_count", 10u); },
       "llama.rope.dimension_count", "is 10, allowed are 1 to 8"},
      {"rope base", [](Edit& e) { e.set("llama.rope.freq_base", -1.0f); }, "llama.rope.freq_base",
       "allowed are"},
      {"rope scaling", [](Edit& e) { e.set("llama.rope.scaling.type", "su"); }, "llama.rope.scaling.type",
       "\"su\" is not one of"},
      {"rope factor below 0", [](Edit& e) { e.set("llama.rope.scaling.factor", -4.0f); },
       "llama.rope.scaling.factor", "allowed are"},
      {"rope factors of another length", [](Edit& e) { e.tensor("rope_freqs.weight", {5}); },
       "rope_freqs.weight", "has 5 values, RoPE has 4 pairs"},
      {"rope factors of 0", [](Edit& e) { e.tensor("rope_freqs.weight", {4}, 0); }, "rope_freqs.weight",
       "not above 0"},
      {"more experts used than there are", [](Edit& e) { e.set("llama.expert_used_count", 5u); },
       "llama.expert_used_count", "is 5, allowed are 1 to 4"},
      {"another gating function", [](Edit& e) { e.set("llama.expert_gating_func", 2u); },
       "llama.expert_gating_func", "softmax"},
      {"experts apart",
       [](Edit& e) {
         e.tensor("blk.0.ffn_gate.0.weight", {32, 48});
       },
       "blk.0.ffn_gate.0.weight", "one expert"},
      {"tensor absent", [](Edit& e) { e.drop("blk.1.attn_k.weight"); }, "blk.1.attn_k.weight",
       "no such tensor"},
      {"no token table", [](Edit& e) { e.drop("token_embd.weight"); }, "token_embd.weight", "no such tensor"},
      {"matrix transposed",
       [](Edit& e) {
         e.tensor("blk.1.attn_k.weight", {16, 32});
       },
       "blk.1.attn_k.weight", "is (32, 16), the model needs (16, 32)"},
      {"norm of another length", [](Edit& e) { e.tensor("output_norm.weight", {31}); }, "output_norm.weight",
       "is (31), the model needs 32 values"},
      {"norm with an infinity", [](Edit& e) { e.tensor("output_norm.weight", {32}, INFINITY); },
       "output_norm.weight", "not finite"},
      {"vocabulary of another size",
       [](Edit& e) { e.set_array("tokenizer.ggml.tokens", std::vector<std::string>(95, "x")); },
       "token_embd.weight", "has 96 rows, the vocabulary 95 tokens"},
  };
  for (const auto& c : cases) {
    Edit edit("mixtral");
    c.change(edit);
    const std::string message = edit.refusal();
    EXPECT_THAT(message, HasSubstr("edited.gguf: ")) << c.problem;
    EXPECT_THAT(message, HasSubstr(c.item)) << c.problem;
    EXPECT_THAT(message, HasSubstr(c.says)) << c.problem;
  }
}

TEST(Model, ReportsWhatItDoesNotFollow) {
  EXPECT_THAT(Edit("mixtral").warnings(), IsEmpty());
  EXPECT_THAT(Edit("mixtral").tensor("blk.0.attn_sinks.weight", {4}).warnings(),
              Contains(HasSubstr("blk.0.attn_sinks.weight is in the file and nothing uses it")));
  EXPECT_THAT(Edit("mixtral").set("llama.logit_scale", 0.5f).warnings(),
              Contains(HasSubstr("llama.logit_scale is not understood")));
  EXPECT_THAT(Edit("mixtral").set("llama.attention.sliding_window", 4096u).warnings(),
              Contains(HasSubstr("llama.attention.sliding_window is not followed")));
  EXPECT_THAT(Edit("mixtral").set("llama.vocab_size", 97u).warnings(),
              Contains(HasSubstr("llama.vocab_size")));
  EXPECT_THAT(Edit("gpt2").tensor("rope_freqs.weight", {4}).warnings(),
              Contains(HasSubstr("rope_freqs.weight")));
  // LongRoPE's factors replace the scaling; a factor besides would change the computation elsewhere.
  EXPECT_THAT(Edit("longrope")
                  .set("phi3.rope.scaling.type", "longrope")
                  .set("phi3.rope.scaling.factor", 4.0f)
                  .warnings(),
              Contains(HasSubstr("phi3.rope.scaling.factor is not understood")));
}

TEST(Model, TakesHarmlessKeys) {
  EXPECT_THAT(Edit("llama-linear")
                  .set("llama.expert_count", 0u)
                  .set("llama.expert_used_count", 0u)
                  .set("llama.vocab_size", 96u)
                  .set("llama.rope.scaling.finetuned", true)
                  .set("llama.tensor_data_layout", "Meta AI original pth")
                  .set_array("llama.feed_forward_length", std::vector<int32_t>{48, 48})
                  .warnings(),
              IsEmpty());
}

TEST(Model, LocalLayersByPeriodByFlagsAndNot) {
  EXPECT_THAT(Edit("olmo3").hparams().local.layers, testing::ElementsAre(true, true, true, false));
  EXPECT_EQ(Edit("olmo3").hparams().attention_of(0).window, 8u);
  EXPECT_EQ(Edit("olmo3").hparams().attention_of(3).window, 0u);
  EXPECT_THAT(
      Edit("olmo3")
          .set_array("olmo2.attention.sliding_window_pattern", std::vector<bool>{true, false, false, true})
          .hparams()
          .local.layers,
      testing::ElementsAre(true, false, false, true));
  EXPECT_THAT(
      Edit("olmo3").set_array("olmo2.attention.sliding_window_pattern", std::vector<bool>{true}).refusal(),
      HasSubstr("one flag a layer"));
  EXPECT_THAT(Edit("olmo3").set("olmo2.attention.sliding_window", 0u).hparams().local.layers, IsEmpty());
  // Gemma 2's window is implied, Gemma 3's is not.
  EXPECT_EQ(Edit("gemma2").drop("gemma2.attention.sliding_window").hparams().local.window, 4096u);
  EXPECT_THAT(Edit("gemma3-62-layers").drop("gemma3.attention.sliding_window").hparams().local.layers,
              IsEmpty());
}

TEST(Model, SoftCapsOfGemma2AreImplied) {
  const Hparams h = Edit("gemma2-46-layers").hparams();
  EXPECT_EQ(h.attention_soft_cap, 50);
  EXPECT_EQ(h.logit_soft_cap, 30);
}

TEST(Model, LongRopeChoosesByTheCache) {
  EXPECT_NE(Edit("longrope").load(256)->hparams().rope.frequencies,
            Edit("longrope").load(257)->hparams().rope.frequencies);
  EXPECT_EQ(Edit("longrope").load(0)->hparams().rope.frequencies,
            Edit("longrope").load(1024)->hparams().rope.frequencies);
}

TEST(Model, LearnedPositionsEnd) {
  EXPECT_EQ(Edit("gpt2").load()->max_context(), 64u);
  EXPECT_GT(Edit("mixtral").load()->max_context(), size_t(1) << 30);
}

}  // namespace
}  // namespace assay
