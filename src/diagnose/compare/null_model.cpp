#include "diagnose/compare/null_model.h"

#include <cmath>
#include <exception>

#include "diagnose/compare/storage_noise.h"
#include "ops/substitute_ops.h"
#include "quant/encode/encode.h"
#include "runtime/backend.h"
#include "sampling/rng.h"

namespace assay {

uint64_t NullModel::memory_bytes(const Model& anchor) {
  uint64_t n = 0;
  for (const Weight& weight : anchor.weights())
    n += uint64_t(weight.n_rows) * weight.n_cols * weight.n_experts;
  return n * 4 * sizeof(float);  // values, errors, a draw, and what the backend makes of it
}

NullModel::NullModel(const Model& anchor, const GgufFile& file, ThreadPool& pool)
    : anchor_(anchor), pool_(pool) {
  for (const Weight& weight : anchor.weights()) {
    const TensorInfo& from = *anchor.file().find(weight.name);
    const TensorInfo* const to = file.find(weight.name);
    const QuantType& type = to ? *to->type : *from.type;  // a tied output is stored once
    Noisy& noisy = weights_.emplace_back();
    noisy.weight = &weight;
    noisy.sub_elems = type.sub_elems;
    const size_t n_rows = weight.n_rows * weight.n_experts, n_cols = weight.n_cols;
    noisy.values.resize(n_rows * n_cols);
    noisy.error.resize(n_rows * n_cols);
    noisy.anchor_rms.resize(n_rows);
    std::vector<std::exception_ptr> errors(n_rows);
    pool.run(n_rows, [&](size_t row) {
      try {
        const RowNoise one = row_noise(anchor.file(), from, row, type);
        std::copy(one.values.begin(), one.values.end(), noisy.values.begin() + std::ptrdiff_t(row * n_cols));
        std::copy(one.encoded.begin(), one.encoded.end(), noisy.error.begin() + std::ptrdiff_t(row * n_cols));
        noisy.anchor_rms[row] = float(one.anchor_rms);
      } catch (...) {
        errors[row] = std::current_exception();
      }
    });
    for (size_t row = 0; row < n_rows; ++row) try {
        if (errors[row]) std::rethrow_exception(errors[row]);
      } catch (const NotFinite& error) {
        throw UsageError("the anchor's tensor " + printable(weight.name) + ", row " + std::to_string(row) +
                         ", column " + std::to_string(error.col) + ": is no number");
      }
    double ww = 0, we = 0, ee = 0;
    for (size_t i = 0; i < noisy.values.size(); ++i) {
      const double w = double(noisy.values[i]), e = double(noisy.error[i]);
      ww += w * w;
      we += w * e;
      ee += e * e;
    }
    noisy.along = ww > 0 ? we / ww : 0;
    squares_ += ee;
  }
}

template <class Fill>
TextRun NullModel::run(const Sequences& sequences, const Fill& fill) {
  const std::unique_ptr<Ops> cpu = need_backend("cpu").make({pool_, {}});
  SubstituteOps ops(*cpu);
  std::deque<std::vector<float>> values;
  std::deque<Weight> replaced;
  std::vector<const Weight*> all;
  for (const Noisy& noisy : weights_) {
    const size_t n_cols = noisy.weight->n_cols, n_rows = noisy.values.size() / n_cols;
    std::vector<float>& drawn = values.emplace_back(noisy.values.size());
    pool_.run(n_rows,
              [&](size_t row) { fill(noisy, row, std::span<float>(drawn).subspan(row * n_cols, n_cols)); });
    Weight& weight = replaced.emplace_back(*noisy.weight);
    weight.type = find_quant_type("F32");
    weight.bytes = std::as_bytes(std::span(drawn));
    ops.replace(weight.id, &weight);
  }
  for (const Weight* weight : anchor_.product_weights())
    for (const Weight& other : replaced)
      if (other.id == weight->id) all.push_back(&other);
  cpu->load(all, [](uint64_t, uint64_t) {});
  return run_text(anchor_, ops, sequences);
}

TextRun NullModel::draw(uint64_t seed, const Sequences& sequences) {
  return run(sequences, [&](const Noisy& noisy, size_t row, std::span<float> out) {
    Rng rng(seed ^ (uint64_t(noisy.weight->id) << 40) ^ (uint64_t(row) << 1));
    const float* const w = noisy.values.data() + row * out.size();
    const float* const e = noisy.error.data() + row * out.size();
    const double anchor = double(noisy.anchor_rms[row]) * std::sqrt(12.0);
    double sign = 1;
    uint64_t bits = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      if (i % noisy.sub_elems == 0) {
        const size_t draw = i / noisy.sub_elems;
        if (draw % 64 == 0) bits = rng.next_bits();
        sign = bits >> (draw % 64) & 1 ? 1 : -1;
      }
      const double value = double(w[i]), along = noisy.along * value;
      double noise = along + sign * (double(e[i]) - along);
      if (anchor > 0) noise += anchor * (rng.next_unit() - 0.5);
      out[i] = float(value + noise);
    }
  });
}

TextRun NullModel::encoded(const Sequences& sequences) {
  return run(sequences, [](const Noisy& noisy, size_t row, std::span<float> out) {
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = noisy.values[row * out.size() + i] + noisy.error[row * out.size() + i];
  });
}

}  // namespace assay
