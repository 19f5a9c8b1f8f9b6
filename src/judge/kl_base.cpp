#include "judge/kl_base.h"

#include <algorithm>
#include <cstring>

#include "gguf/writer.h"

namespace assay {

std::unique_ptr<KlBase> open_llama_cpp_base(MappedFile file, int32_t bos);  // llama_cpp_base.cpp

namespace {

constexpr std::string_view kType = "kl_base";
constexpr const char* kContext = "kl_base.context_length";
constexpr const char* kBos = "kl_base.bos_token_id";
constexpr const char* kTokens = "kl_base.tokens";
constexpr const char* kBackend = "kl_base.backend";
constexpr const char* kSoftCap = "kl_base.final_logit_softcapping";
constexpr const char* kNormed = "result_norm";
constexpr size_t kRowsAtOnce = 64;

/// The output product of a model: its weight under the name that a KlBase file gives it, and what follows it.
constexpr const char* kOutput = "output.weight";
const TensorInfo& output_of(const GgufFile& file) {
  for (const char* name : {kOutput, "token_embd.weight"})
    if (const TensorInfo* tensor = file.find(name)) return *tensor;
  throw Missing(file.metadata().place(kOutput), "is not in the file");
}

/// output.bias and output.scale: f32 values that a product has beside its weight.
std::vector<float> values_of(const GgufFile& file, const char* name, size_t n_values) {
  const TensorInfo* tensor = file.find(name);
  if (!tensor) return {};
  if (tensor->n_elements != n_values)
    throw ShapeMismatch(file.place(*tensor), "has " + std::to_string(tensor->n_elements) + " values, not " +
                                                 std::to_string(n_values));
  std::vector<float> values(n_values);
  tensor->type->dequantize(file.data(*tensor).data(), n_values / tensor->type->block_elems, values.data());
  return values;
}

/// Multiplies the kept final norms with the kept output weight again: on the same evaluator that gives the
/// same bits, however many rows at once.
class NormedBase final : public KlBase {
 public:
  NormedBase(GgufFile file, size_t n_threads) : file_(std::move(file)), pool_(n_threads) {
    const Metadata& m = file_.metadata();
    if (m.find_string("general.type") != kType)
      throw BadValue(m.place("general.type"),
                     "is not \"kl_base\": a model is no base of KL, --kl-base wants a file that "
                     "--write-kl-base made");
    text_.n_ctx = m.need_uint(kContext);
    if (text_.n_ctx < 4 || text_.n_ctx > (1u << 24)) throw BadValue(m.place(kContext), "must be 4 to 2^24");
    const auto ids = m.find_ints(kTokens);
    if (!ids) throw Missing(m.place(kTokens), "is not in the file");
    if (ids->empty() || ids->size() % text_.n_ctx != 0)
      throw BadValue(m.place(kTokens), "has " + std::to_string(ids->size()) +
                                           " tokens, not whole chunks of " + std::to_string(text_.n_ctx));
    text_.n_chunks = ids->size() / text_.n_ctx;
    const TensorInfo& output = output_of(file_);
    if (output.n_dims != 2) throw ShapeMismatch(file_.place(output), "is no matrix");
    for (const int64_t id : *ids) {
      if (id < 0 || uint64_t(id) >= output.n_rows())
        throw BadValue(m.place(kTokens), "has token " + std::to_string(id) + " of a vocabulary of " +
                                             std::to_string(output.n_rows()));
      text_.ids.push_back(int32_t(id));
    }
    const int64_t bos = m.find_int(kBos).value_or(-1);
    if (bos < -1 || bos >= int64_t(output.n_rows()))
      throw BadValue(m.place(kBos), "is outside the vocabulary");
    text_.bos = int32_t(bos);
    soft_cap_ = m.find_float(kSoftCap).value_or(0);

    normed_ = file_.find(kNormed);
    if (!normed_) throw Missing(m.place(kNormed), "is not in the file");
    if (normed_->type->name != "F32" || normed_->n_cols() != output.n_cols() ||
        normed_->n_rows() != text_.n_scored())
      throw ShapeMismatch(file_.place(*normed_), "must be F32, " + std::to_string(output.n_cols()) + " x " +
                                                     std::to_string(text_.n_scored()));
    weight_.name = std::string(output.name);
    weight_.type = output.type;
    weight_.n_rows = output.n_rows();
    weight_.n_cols = output.n_cols();
    weight_.bytes = file_.data(output);
    linear_.weight = &weight_;
    linear_.bias = values_of(file_, "output.bias", weight_.n_rows);
    linear_.scale = values_of(file_, "output.scale", 1);
    ops_ = need_backend(m.need_string(kBackend)).make({pool_, {}});
    const Weight* const weights[] = {&weight_};
    ops_->load(weights, [](uint64_t, uint64_t) {});
    in_ = ops_->allocate(kRowsAtOnce, weight_.n_cols);
    out_ = ops_->allocate(kRowsAtOnce, weight_.n_rows);
  }

  const ScoredText& text() const override { return text_; }
  size_t vocab_size() const override { return weight_.n_rows; }
  void begin(size_t chunk) override { next_ = chunk * text_.n_rows(); }
  void read(size_t n_rows, float* logits) override {
    const std::byte* const all = file_.data(*normed_).data();
    std::vector<float> row(weight_.n_cols);
    std::vector<double> rows;
    for (size_t n; n_rows > 0; n_rows -= n, next_ += n, logits += n * weight_.n_rows) {
      n = std::min(n_rows, kRowsAtOnce);
      rows.clear();
      for (size_t r = 0; r < n; ++r) {
        std::memcpy(row.data(), all + (next_ + r) * row.size() * sizeof(float), row.size() * sizeof(float));
        rows.insert(rows.end(), row.begin(), row.end());
      }
      ops_->write(in_.rows(0, n), rows.data());
      const Product product[] = {{{"result_output"}, out_.rows(0, n), &linear_}};
      ops_->linear(product, in_.rows(0, n));
      if (soft_cap_ != 0) ops_->soft_cap({"result_output"}, out_.rows(0, n), soft_cap_);
      ops_->read(out_.rows(0, n), logits);
    }
  }

 private:
  GgufFile file_;
  ThreadPool pool_;
  ScoredText text_;
  const TensorInfo* normed_ = nullptr;
  Weight weight_;
  Linear linear_;
  double soft_cap_ = 0;
  std::unique_ptr<Ops> ops_;
  Tensor in_, out_;
  size_t next_ = 0;
};

}  // namespace

std::unique_ptr<KlBase> open_kl_base(const std::filesystem::path& path, const Tokenizer& tokenizer,
                                     size_t n_threads) {
  MappedFile file = MappedFile::open(path);
  constexpr std::string_view kLlamaCpp = "_logits_";
  if (file.bytes().size() >= kLlamaCpp.size() &&
      std::memcmp(file.bytes().data(), kLlamaCpp.data(), kLlamaCpp.size()) == 0)
    return open_llama_cpp_base(std::move(file), bos_of_chunks(tokenizer));
  return std::make_unique<NormedBase>(GgufFile::open(path), n_threads);
}

void write_kl_base(const std::filesystem::path& path, LoadedModel& loaded, const ScoredText& text,
                   size_t n_batch, KvType kv_type,
                   const std::function<void(size_t, size_t, std::span<const float>)>& row) {
  const GgufFile& model = loaded.model().file();
  const TensorInfo& output = output_of(model);
  GgufWriter writer;
  writer.add("general.type", kType);
  writer.add("general.architecture", loaded.model().hparams().arch);
  writer.add(kBackend, loaded.ops().name());
  writer.add(kContext, uint32_t(text.n_ctx));
  writer.add(kBos, text.bos);
  writer.add(kSoftCap, float(loaded.model().hparams().logit_soft_cap));
  writer.add_array(kTokens, text.ids);
  const auto copy = [&](const char* name, const TensorInfo& tensor) {
    writer.add_tensor(name, *tensor.type, std::span(tensor.dims, tensor.n_dims), model.data(tensor));
  };
  copy(kOutput, output);
  for (const char* name : {"output.bias", "output.scale"})
    if (const TensorInfo* tensor = model.find(name)) copy(name, *tensor);
  const size_t d_model = output.n_cols();
  const uint64_t dims[] = {d_model, text.n_scored()};
  writer.add_tensor(kNormed, *find_quant_type("F32"), dims, [&](const GgufWriter::Sink& sink) {
    ModelSource source(loaded, text, n_batch, kv_type);
    std::vector<float> logits(kRowsAtOnce * source.vocab_size()), normed(kRowsAtOnce * d_model);
    for (size_t chunk = 0; chunk < text.n_chunks; ++chunk) {
      source.begin(chunk);
      for (size_t n, at = 0; at < text.n_rows(); at += n) {
        n = std::min(kRowsAtOnce, text.n_rows() - at);
        source.read(n, logits.data(), normed.data());
        sink(std::as_bytes(std::span(normed).first(n * d_model)));
        for (size_t r = 0; r < n; ++r)
          row(chunk, at + r, std::span(logits).subspan(r * source.vocab_size(), source.vocab_size()));
      }
    }
  });
  writer.write(path);
}

}  // namespace assay
