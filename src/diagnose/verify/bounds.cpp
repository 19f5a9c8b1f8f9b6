#include "diagnose/verify/bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay {
namespace {

constexpr double kExpUnits = 4;  // of u: see bounds.h
const double kExpFloor = std::exp(-86.0);

double gamma(double k, double u) {
  return k * u < 0.5 ? k * u / (1 - k * u) : INFINITY;
}

Values zeros_like(const Values& v) {
  return {v.n_rows, v.n_cols, std::vector<double>(v.x.size())};
}

/// How activations of one row are rounded: blocks of `unit`, the step of each, and the error of any number.
struct Rounding {
  size_t unit = 0;
  std::vector<double> step, worst, relative;  // by block; relative: of the step itself
};
Rounding rounding_of(Activations kind, const double* x, size_t n, double u) {
  Rounding r;
  r.unit = kind == Activations::q8_k ? 256 : 32;
  for (size_t begin = 0; begin < n; begin += r.unit) {
    double top = 0;
    for (size_t i = begin; i < begin + r.unit; ++i) top = std::max(top, std::abs(x[i]));
    const double d = top / 127;
    double relative = 4 * u;
    if (kind == Activations::q8_0) {
      constexpr double kLargestHalf = 65504;
      relative += d > kLargestHalf ? INFINITY : d == 0 ? 0 : std::max(0x1p-11, 0x1p-25 / d);
    }
    r.step.push_back(d);
    r.relative.push_back(relative);
    r.worst.push_back(d == 0 ? 0 : d * (0.5 + 127 * relative));
  }
  return r;
}

/// One row of weights: its values and, for each, the magnitudes that the integer product adds up.
struct WeightRow {
  std::vector<float> w;
  std::vector<double> magnitude;
  WeightRow(const Weight& weight, size_t row, size_t expert) : w(weight.n_cols), magnitude(weight.n_cols) {
    const QuantType& type = *weight.type;
    const std::byte* blocks = weight.row(row, expert).data();
    type.dequantize(blocks, weight.n_cols / type.block_elems, w.data());
    for (size_t k = 0; k < w.size(); ++k) magnitude[k] = std::abs(double(w[k]));
    if (!type.has_mins) return;
    IntegerBlock b;
    for (size_t k = 0; k < w.size(); ++k) {
      if (k % type.block_elems == 0) type.integers(blocks + k / type.block_elems * type.block_bytes, b);
      const size_t i = k % type.block_elems, s = i / type.sub_elems;
      magnitude[k] = std::abs(double(b.d) * b.scale[s] * b.q[i]) + std::abs(double(b.dmin) * b.min[s]);
    }
  }
};

/// What a product's output row i reads.
struct Source {
  size_t in_row, expert;
};
Source source_of(const LockstepStep& step, const LinearCall& call, size_t i) {
  if (!call.routing) return {i, 0};
  return {i / (step.first.n_rows / step.in.n_rows), size_t(call.routing->experts[i])};
}
double scale_of(const Linear& linear, size_t expert) {
  return linear.scale.empty() ? 1 : double(linear.scale[linear.scale.size() > 1 ? expert : 0]);
}

/// Errors of one output apart from half a step of each activation.
struct LinearError {
  double rounding = 0, rest = 0;
};
LinearError linear_error(const WeightRow& row, const double* x, const Rounding& r, const Arithmetic& a) {
  LinearError e;
  double sum = 0;
  for (size_t k = 0; k < row.w.size(); ++k) sum += row.magnitude[k] * std::abs(x[k]);
  if (r.unit == 0) {
    e.rest = (gamma(double(row.w.size()) + 2, a.u) + a.dump_u) * sum;
    return e;
  }
  for (size_t b = 0; b < r.step.size(); ++b) {
    double weights = 0, product = 0;
    for (size_t k = b * r.unit; k < (b + 1) * r.unit; ++k) {
      weights += std::abs(double(row.w[k]));
      product += double(row.w[k]) * x[k];
    }
    if (weights == 0) continue;
    e.rounding += r.worst[b] * weights;
    // A wrong step multiplies the block's whole product, rounding errors and all.
    e.rest += r.relative[b] * (std::abs(product) + r.step[b] / 2 * weights);
  }
  // The decoder rounds as well: d * scale, the product and the difference.
  const double n_roundings = 2.0 * double(r.step.size()) + 8;
  e.rest += (gamma(n_roundings, a.u) + a.dump_u) * sum;
  return e;
}

Values linear_bound(const LockstepStep& step, const LinearCall& call, const Arithmetic& a) {
  const Linear& linear = *call.linear;
  const QuantType& type = *linear.weight->type;
  Values bound = zeros_like(step.first);
  std::vector<Rounding> roundings(step.in.n_rows);
  if (a.rounds_activations && type.activations != Activations::f32)
    for (size_t i = 0; i < step.in.n_rows; ++i)
      roundings[i] = rounding_of(type.activations, step.in.row(i), step.in.n_cols, a.u);
  for (size_t expert = 0; expert < linear.weight->n_experts; ++expert) {
    bool used = false;
    for (size_t i = 0; i < bound.n_rows; ++i) used |= source_of(step, call, i).expert == expert;
    for (size_t r = 0; used && r < bound.n_cols; ++r) {
      const WeightRow row(*linear.weight, r, expert);
      for (size_t i = 0; i < bound.n_rows; ++i) {
        const Source source = source_of(step, call, i);
        if (source.expert != expert) continue;
        const LinearError e = linear_error(row, step.in.row(source.in_row), roundings[source.in_row], a);
        double& b = bound.x[i * bound.n_cols + r];
        b = (e.rounding + e.rest) * std::abs(scale_of(linear, expert));
        const double y = std::abs(step.second.row(i)[r]);
        b += 4 * a.u * (y + b);  // scale and bias: the product before the bias is at most |y| + |bias|
        if (!linear.bias.empty())
          b += 2 * a.u * std::abs(double(linear.bias[expert * linear.weight->n_rows + r]));
      }
    }
  }
  return bound;
}

Values norm_bound(const LockstepStep& step, const Norm& norm, const Arithmetic& a) {
  Values bound = zeros_like(step.first);
  const size_t n = norm.group;
  for (size_t i = 0; i < step.in.n_rows; ++i)
    for (size_t begin = 0; begin < step.in.n_cols; begin += n) {
      const double* x = step.in.row(i) + begin;
      double mean = 0, size = 0, square = 0, deviation = 0, moved = 0;
      for (size_t j = 0; j < n; ++j) mean += x[j] / double(n), size += std::abs(x[j]) / double(n);
      // Exact sums add one after another where twin has lanes.
      const double additions = a.rounds_activations ? double(n) / 16 + 6 : double(n) + 2;
      double e = a.dump_u * 2 * size;  // with each number's own below
      if (norm.kind == Norm::Kind::layer)
        e += gamma(additions, a.u) * size + a.u * std::abs(mean);
      else
        mean = 0;
      for (size_t j = 0; j < n; ++j) {
        square += (x[j] - mean) * (x[j] - mean);
        deviation += std::abs(x[j] - mean);
        moved += a.dump_u * std::abs(x[j] - mean) * std::abs(x[j]);
      }
      const double total = square + double(n) * norm.epsilon;
      if (total == 0) continue;
      const double r = 1 / std::sqrt(total / double(n));
      const double r_error =
          gamma(additions + 8, a.u) + (moved + 2 * e * deviation + double(n) * e * e) / total;
      const size_t w0 = norm.weight.size() > n ? begin : 0;
      for (size_t j = 0; j < n; ++j) {
        const double w = norm.weight.empty() ? 1 : std::abs(double(norm.weight[w0 + j]));
        const double v = std::abs(x[j] - mean);
        bound.x[i * bound.n_cols + begin + j] =
            w * r * (e + a.dump_u * std::abs(x[j]) + v * (r_error + 4 * a.u)) * (1 + 8 * a.u) +
            a.u * std::abs(step.second.row(i)[begin + j]) + 0x1p-149;
      }
    }
  return bound;
}

Values rope_bound(const LockstepStep& step, const RopeCall& call, const Arithmetic& a) {
  Values bound = zeros_like(step.first);
  const size_t n_pairs = call.rope->frequencies.size();
  const bool adjacent = call.rope->pairs == Rope::Pairs::adjacent;
  for (size_t i = 0; i < bound.n_rows; ++i)
    for (size_t begin = 0; begin < bound.n_cols; begin += call.head_dim)
      for (size_t j = 0; j < n_pairs; ++j) {
        const size_t p = begin + (adjacent ? 2 * j : j), q = begin + (adjacent ? 2 * j + 1 : j + n_pairs);
        const double size = std::abs(step.in.row(i)[p]) + std::abs(step.in.row(i)[q]);
        bound.x[i * bound.n_cols + p] = bound.x[i * bound.n_cols + q] =
            (4 * a.u + a.dump_u) * size * std::abs(call.rope->magnitude) + 0x1p-149;
      }
  return bound;
}

double unary_error(Activation f, double x, double y, double u) {
  // Where the exp is cut or 0 instead of tiny, and where f64 cancels in 1 + tanh.
  const double tail = std::abs(x) * (kExpFloor + 0x1p-51);
  if (f == Activation::silu) return (kExpUnits + 3) * u * std::abs(y) + tail;
  const double v = std::sqrt(2 / M_PI) * std::abs(x + 0.044715 * x * x * x);
  return (10 * v + kExpUnits + 3) * u * std::abs(y) + tail;
}

Values attention_bound(const LockstepStep& step, const AttentionCall& call, const Arithmetic& a) {
  const AttentionParams& p = *call.params;
  Values bound = zeros_like(step.first);
  std::vector<double> vector(p.head_dim);
  for (size_t i = 0; i < bound.n_rows; ++i)
    for (size_t head = 0; head < p.n_heads; ++head) {
      const size_t kv_head = head / (p.n_heads / p.n_kv_heads);
      const size_t end = size_t(call.positions[i]) + 1;
      const size_t begin = p.window != 0 && end > p.window ? end - p.window : 0;
      const double* q = step.in.row(i) + head * p.head_dim;
      std::vector<double> score(end - begin);
      double off = 0, top = -INFINITY, bottom = INFINITY, total = 0;
      for (size_t j = begin; j < end; ++j) {
        call.caches[i]->read_key(call.layer, kv_head, j, vector.data());
        double sum = 0, size = 0;
        for (size_t d = 0; d < p.head_dim; ++d) sum += q[d] * vector[d], size += std::abs(q[d] * vector[d]);
        double s = sum * p.scale;
        off = std::max(off, (gamma(double(p.head_dim) + 3, a.u) + 2 * a.dump_u) * size * std::abs(p.scale));
        if (p.soft_cap != 0) s = p.soft_cap * std::tanh(s / p.soft_cap);
        score[j - begin] = s;
        top = std::max(top, s), bottom = std::min(bottom, s);
      }
      if (p.soft_cap != 0) off += 12 * a.u * std::abs(p.soft_cap);
      for (double& s : score) total += s = std::exp(s - top);
      const double n_keys = double(end - begin), n_tiles = n_keys / 64 + 2;
      const double factor = std::expm1(2 * (off + a.u * (top - bottom))) +
                            gamma(2 * n_keys + (3 * kExpUnits + 4) * n_tiles + 2 * kExpUnits + 8, a.u);
      double* const b = bound.x.data() + i * bound.n_cols + head * p.head_dim;
      for (size_t j = begin; j < end; ++j) {
        call.caches[i]->read_value(call.layer, kv_head, j, vector.data());
        for (size_t d = 0; d < p.head_dim; ++d)
          b[d] += std::abs(vector[d]) * (score[j - begin] / total * (factor + a.dump_u) + 2 * kExpFloor);
      }
    }
  return bound;
}

/// Of a number of magnitude x in a group of a q8_0 cache.
double q8_0_bound(double x, std::span<const double> group, const Arithmetic& a) {
  double d = 0;
  for (const double v : group) {
    if (!std::isfinite(v)) return INFINITY;
    d = std::max(d, std::abs(v) / 127);
  }
  if (d > 65504) return INFINITY;
  const double code = d == 0 ? 0 : x / d;
  const double to_half = std::abs(code - std::floor(code) - 0.5);
  const bool may_move = to_half <= (4 * a.u + 2 * a.dump_u) * code;
  return 2 * std::max(0x1p-11 * d, 0x1p-25) * (code + 1.5) + (may_move ? d : 0);
}

struct BoundOf {
  const LockstepStep& s;
  const Arithmetic& a;

  template <class Of>
  Values each(const Of& of) const {
    Values bound = zeros_like(s.first);
    for (size_t i = 0; i < bound.x.size(); ++i) bound.x[i] = of(i);
    return bound;
  }
  double y(size_t i) const { return std::abs(s.second.x[i]); }

  Values operator()(const EmbedCall&) const { return zeros_like(s.first); }
  Values operator()(const NormCall& c) const { return norm_bound(s, *c.norm, a); }
  Values operator()(const LinearCall& c) const { return linear_bound(s, c, a); }
  Values operator()(const RopeCall& c) const { return rope_bound(s, c, a); }
  Values operator()(const AttentionCall& c) const { return attention_bound(s, c, a); }
  Values operator()(const StoreCall& c) const {
    return each([&](size_t i) -> double {
      const size_t row = i / s.first.n_cols, col = i % s.first.n_cols, width = s.in.n_cols;
      const size_t of = col < width ? col : col - width, group = kv_info(c.shape->type).group;
      const double* const numbers = (col < width ? s.in : s.in2).row(row);
      const double x = std::abs(numbers[of]);
      switch (c.shape->type) {
        case KvType::f32:
          return (a.u + a.dump_u) * x;
        case KvType::f16:
          return x > 65504 ? INFINITY : 2 * std::max(0x1p-11 * x, 0x1p-25) + a.dump_u * x;
        case KvType::q8_0:
          return q8_0_bound(x, {numbers + of / group * group, group}, a) + a.dump_u * x;
      }
      return INFINITY;
    });
  }
  Values operator()(const ActivateCall& c) const {
    return each([&](size_t i) {
      const double up = c.times_in2 ? s.in2.x[i] : 1;
      const double f = up == 0 ? 0 : s.second.x[i] / up;
      // SiLU and GELU have slopes below 1.13.
      const double moved = a.dump_u * (1.13 * std::abs(s.in.x[i]) + std::abs(f));
      return (unary_error(c.f, s.in.x[i], f, a.u) + moved) * std::abs(up) + 2 * a.u * y(i) + 0x1p-149;
    });
  }
  Values operator()(const AddCall&) const {
    return each([&](size_t i) {
      return a.u * y(i) * (1 + 2 * a.u) + a.dump_u * (std::abs(s.in.x[i]) + std::abs(s.in2.x[i])) + 0x1p-149;
    });
  }
  Values operator()(const ScaleCall&) const {
    return each([&](size_t i) { return (2 * a.u + a.dump_u) * y(i) * (1 + 4 * a.u) + 0x1p-149; });
  }
  Values operator()(const SoftCapCall& c) const {
    return each([&](size_t i) { return 12 * a.u * std::abs(c.cap) + a.dump_u * std::abs(s.in.x[i]); });
  }
  Values operator()(const RouteCall&) const {  // f64 in all of them; an id is right or not
    const size_t n_used = s.first.n_cols / 2;
    return each([&](size_t i) {
      return i % s.first.n_cols < n_used ? 0.0 : 0x1p-53 * double(s.in.n_cols + 16) * y(i);
    });
  }
  Values operator()(const ExpertSumCall& c) const {
    const size_t n_used = c.routing->n_used;
    return each([&](size_t i) {
      const size_t row = i / s.first.n_cols, col = i % s.first.n_cols;
      double sum = 0;
      for (size_t slot = row * n_used; slot < (row + 1) * n_used; ++slot)
        sum += std::abs(c.routing->weights[slot] * s.in.row(slot)[col]);
      return (gamma(double(n_used) + 2, a.u) + a.dump_u) * sum + 0x1p-149;
    });
  }
};

/// Up to `most` of n, evenly spread.
std::vector<size_t> spread(size_t n, size_t most) {
  std::vector<size_t> some;
  for (size_t k = 0; k < std::min(n, most); ++k) some.push_back(k * n / std::min(n, most));
  return some;
}

}  // namespace

Values bound_of(const LockstepStep& step, const Arithmetic& a) {
  Values bound = std::visit(BoundOf{step, a}, step.call);
  if (a.dump_u != 0)
    for (size_t i = 0; i < bound.x.size(); ++i) bound.x[i] += a.dump_u * std::abs(step.second.x[i]);
  return bound;
}

std::optional<NoiseBand> noise_of(const LockstepStep& step, const Arithmetic& a) {
  const auto* call = std::get_if<LinearCall>(&step.call);
  if (!call || !a.rounds_activations) return std::nullopt;
  const Linear& linear = *call->linear;
  const QuantType& type = *linear.weight->type;
  if (type.activations == Activations::f32 || call->routing) return std::nullopt;

  std::vector<WeightRow> rows;
  const std::vector<size_t> row_numbers = spread(step.first.n_cols, 64);
  for (const size_t r : row_numbers) rows.emplace_back(*linear.weight, r, 0);
  const double factor = std::abs(scale_of(linear, 0));
  double trace = 0, frobenius = 0, norm = 0, seen = 0, rest = 0;
  size_t n = 0;
  for (const size_t i : spread(step.first.n_rows, 16)) {
    const double* x = step.in.row(i);
    const Rounding rounding = rounding_of(type.activations, x, step.in.n_cols, a.u);
    std::vector<std::vector<float>> noise(rows.size());  // a row of A: w_k * the deviation of e_k
    for (size_t r = 0; r < rows.size(); ++r) {
      noise[r] = rows[r].w;
      for (size_t k = 0; k < noise[r].size(); ++k)
        noise[r][k] *= float(rounding.step[k / rounding.unit] / std::sqrt(12.0) * factor);
      const double error = step.first.row(i)[row_numbers[r]] - step.second.row(i)[row_numbers[r]];
      seen += error * error;
      const double other = linear_error(rows[r], x, rounding, a).rest * factor +
                           4 * a.u * std::abs(step.second.row(i)[row_numbers[r]]);
      rest += other * other;
      ++n;
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      double in_row = 0;
      for (size_t s = 0; s < rows.size(); ++s) {
        double k = 0;
        for (size_t j = 0; j < noise[r].size(); ++j) k += double(noise[r][j]) * double(noise[s][j]);
        if (r == s) trace += k;
        frobenius += k * k;
        in_row += std::abs(k);
      }
      norm = std::max(norm, in_row);
    }
  }
  const double t = std::log(1e9), width = 2 * std::sqrt(frobenius * t);
  const double count = double(n);
  NoiseBand band;
  band.rms = std::sqrt(seen / count);
  band.expected = std::sqrt(trace / count);
  band.high = std::sqrt((trace + width + 2 * norm * t) / count) + std::sqrt(rest / count);
  band.low = std::max(0.0, std::sqrt(std::max(0.0, trace - width) / count) - std::sqrt(rest / count));
  return band;
}

std::optional<Excess> first_excess(const LockstepStep& step, const Values& bound) {
  for (size_t i = 0; i < bound.n_rows; ++i)
    for (size_t j = 0; j < bound.n_cols; ++j) {
      const double a = step.first.row(i)[j], b = step.second.row(i)[j], limit = bound.row(i)[j];
      const bool same = a == b || (std::isnan(a) && std::isnan(b));
      if (!same && !std::isinf(limit) && !(std::abs(a - b) <= limit)) return Excess{i, j, a, b, limit};
    }
  return std::nullopt;
}

}  // namespace assay
