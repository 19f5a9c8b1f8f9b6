#include "cpu/ops_cpu.h"

#include <algorithm>
#include <cmath>
#include <list>

#include "cpu/kv_cpu.h"
#include "cpu/pack.h"
#include "cpu/unpacked.h"
#include "ops/route.h"

namespace assay {
namespace {

using namespace cpu;

/// An item of work is 1 / kItemShare of what is left of a thread's run, but not fewer bytes of weights than
/// kItemBytes: long at first, for memory likes long streams, short in the end, for threads to end together.
constexpr size_t kItemShare = 2, kItemBytes = size_t(32) << 10;

float* row(Tensor t, size_t i) {
  return static_cast<float*>(t.memory) + t.offset + i * t.stride;
}

/// Cosines and sines of a batch's positions, kept because all layers rotate by the same angles.
struct Angles {
  std::vector<double> frequencies;
  double magnitude = 0;
  std::vector<int32_t> positions;
  std::vector<float> cosines, sines;  // (n_tokens, n_pairs)

  bool serve(const Rope& rope, std::span<const int32_t> p) const {
    return magnitude == rope.magnitude && frequencies == rope.frequencies && std::ranges::equal(positions, p);
  }
  void compute(const Rope& rope, std::span<const int32_t> p) {
    frequencies = rope.frequencies;
    magnitude = rope.magnitude;
    positions.assign(p.begin(), p.end());
    cosines.resize(p.size() * frequencies.size());
    sines.resize(cosines.size());
    for (size_t i = 0; i < p.size(); ++i)
      for (size_t j = 0; j < frequencies.size(); ++j) {
        const double angle = p[i] * frequencies[j];
        cosines[i * frequencies.size() + j] = float(std::cos(angle) * magnitude);
        sines[i * frequencies.size() + j] = float(std::sin(angle) * magnitude);
      }
  }
};

class CpuOps final : public Ops {
 public:
  CpuOps(ThreadPool& pool, CpuOptions options)
      : pool_(pool),
        options_(std::move(options)),
        kernels_(options_.kernels ? *options_.kernels : best_kernel_set()) {}
  std::string_view name() const noexcept override { return kernels_.probe_bf16_dot ? "cpu-bf16" : "cpu"; }

  void load(std::span<const Weight* const> weights, const Progress& progress) override {
    uint64_t total = 0, done = 0;
    size_t n_bytes = 0;
    std::vector<bool> seen;  // a weight may be given twice
    for (const Weight* w : weights) {
      total += w->bytes.size();
      if (packed_.size() <= w->id) packed_.resize(w->id + 1);
      seen.resize(packed_.size());
      if (const TileFormat* format = format_of(*w); format && !seen[w->id])
        n_bytes += packed_bytes(*w, *format);
      seen[w->id] = true;
    }
    // One block for all: most weights are smaller than a few huge pages.
    std::byte* next = memory_.emplace_back(n_bytes).data();
    for (const Weight* w : weights) {
      if (const TileFormat* format = format_of(*w)) {
        packed_[w->id] = pack(*w, *format, options_.read, pool_, next);
        next += packed_bytes(*w, *format);
      }
      done += w->bytes.size();
      if (progress) progress(done, total);
    }
  }
  Tensor allocate(size_t n_rows, size_t n_cols) override {
    return {memory_.emplace_back(n_rows * n_cols * sizeof(float)).data(), 0, n_rows, n_cols, n_cols};
  }
  std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) override {
    return std::make_unique<CpuKv>(shape);
  }
  void read(Tensor from, double* to) override { copy_out(from, to); }
  void read(Tensor from, float* to) override { copy_out(from, to); }
  void write(Tensor to, const double* from) override {
    for (size_t i = 0; i < to.n_rows; ++i)
      for (size_t j = 0; j < to.n_cols; ++j) row(to, i)[j] = float(from[i * to.n_cols + j]);
  }

  void embed(Name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override {
    pool_.run(ids.size(), [&](size_t i) {
      table.type->dequantize(table.row(size_t(ids[i])).data(), table.n_cols / table.type->block_elems,
                             row(out, i));
    });
  }

  void norm(Name, Tensor out, Tensor in, const Norm& n) noexcept override {
    pool_.run(in.n_rows, [&](size_t i) {
      for (size_t begin = 0; begin < in.n_cols; begin += n.group) {
        const size_t w0 = n.weight.size() > n.group ? begin : 0;
        kernels_.normalize(n.kind == Norm::Kind::layer, float(n.epsilon), row(in, i) + begin, n.group,
                           n.weight.empty() ? nullptr : n.weight.data() + w0,
                           n.bias.empty() ? nullptr : n.bias.data() + w0, row(out, i) + begin);
      }
    });
  }

  void linear(std::span<const Product> products, Tensor in) noexcept override {
    order_.resize(in.n_rows);
    for (size_t i = 0; i < in.n_rows; ++i) order_[i] = uint32_t(i);
    groups_.assign(1, {0, 0, in.n_rows});
    multiply(products, in, 1);
  }

  void rope(Name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override {
    const Angles& angles = angles_of(rope, batch.positions);
    const size_t n_pairs = rope.frequencies.size();
    pool_.run(x.n_rows, [&](size_t i) {
      for (size_t begin = 0; begin < x.n_cols; begin += head_dim)
        kernels_.rotate(row(x, i) + begin, &angles.cosines[i * n_pairs], &angles.sines[i * n_pairs], n_pairs,
                        rope.pairs == Rope::Pairs::adjacent);
    });
  }

  void store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept override {
    pool_.run(k.n_rows, [&](size_t i) {
      auto& cache = static_cast<CpuKv&>(*batch.caches[i]);
      const KvShape& s = cache.shape();
      for (size_t h = 0; h < s.n_kv_heads; ++h)
        cache.store(kernels_, layer, h, size_t(batch.positions[i]), row(k, i) + h * s.head_dim,
                    row(v, i) + h * s.head_dim);
    });
  }

  void attention(Name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                 const AttentionParams& p) noexcept override {
    const size_t heads_per_kv = p.n_heads / p.n_kv_heads;
    attend_items_.clear();
    for (size_t first = 0, last; first < q.n_rows; first = last) {  // rows of one sequence share its keys
      for (last = first + 1; last < q.n_rows && batch.caches[last] == batch.caches[first];) ++last;
      const size_t n_queries = (last - first) * heads_per_kv;
      for (size_t kv_head = 0; kv_head < p.n_kv_heads; ++kv_head)
        for (size_t query = 0; query < n_queries; query += kMaxQueries)
          attend_items_.push_back({first, kv_head, query, std::min(kMaxQueries, n_queries - query)});
    }
    pool_.run(attend_items_.size(), [&](size_t item) {
      const auto [first, kv_head, first_query, n_queries] = attend_items_[item];
      const auto& cache = static_cast<const CpuKv&>(*batch.caches[first]);
      AttendJob job;
      job.keys = cache.keys(layer, kv_head);
      job.values = cache.values(layer, kv_head);
      job.value_stride = cache.value_stride();
      job.stored = cache.shape().type;
      job.key_scales = cache.key_scales(layer, kv_head);
      job.value_scales = cache.value_scales(layer, kv_head);
      job.head_dim = p.head_dim;
      job.scale = float(p.scale);
      job.soft_cap = float(p.soft_cap);
      job.n_queries = n_queries;
      for (size_t j = 0; j < n_queries; ++j) {
        const size_t i = first + (first_query + j) / heads_per_kv;
        const size_t column = (kv_head * heads_per_kv + (first_query + j) % heads_per_kv) * p.head_dim;
        job.queries[j] = row(q, i) + column;
        job.outs[j] = row(out, i) + column;
        job.end[j] = size_t(batch.positions[i]) + 1;
        job.begin[j] = p.window != 0 && job.end[j] > p.window ? job.end[j] - p.window : 0;
      }
      thread_local std::vector<float> scratch;
      if (scratch.size() < kMaxQueries * job.value_stride) scratch.resize(kMaxQueries * job.value_stride);
      job.scratch = scratch.data();
      kernels_.attend(job);
    });
  }

  void activate(Name, Tensor x, Activation f) noexcept override {
    pool_.run(x.n_rows, [&](size_t i) { kernels_.activate(unary(f), row(x, i), nullptr, x.n_cols); });
  }
  void activate_mul(Name, Tensor gate, Tensor up, Activation f) noexcept override {
    pool_.run(gate.n_rows,
              [&](size_t i) { kernels_.activate(unary(f), row(gate, i), row(up, i), gate.n_cols); });
  }
  void add(Name, Tensor x, Tensor y) noexcept override {
    pool_.run(x.n_rows, [&](size_t i) { kernels_.add(row(x, i), row(y, i), x.n_cols); });
  }
  void scale(Name, Tensor x, double factor) noexcept override {
    for (size_t i = 0; i < x.n_rows; ++i)
      for (size_t j = 0; j < x.n_cols; ++j) row(x, i)[j] *= float(factor);
  }
  void soft_cap(Name, Tensor x, double cap) noexcept override {
    pool_.run(x.n_rows, [&](size_t i) { kernels_.soft_cap(row(x, i), float(cap), x.n_cols); });
  }

  void route(Name, Routing& routing, Tensor logits, const RouteParams& p) noexcept override {
    routing.n_used = p.n_used;
    routing.experts.resize(logits.n_rows * p.n_used);
    routing.weights.resize(logits.n_rows * p.n_used);
    expert_ids_.resize(logits.n_cols);
    for (size_t i = 0; i < logits.n_rows; ++i)
      route_token(routing, i, {row(logits, i), logits.n_cols}, p, expert_ids_);
  }

  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override {
    const size_t n_slots = routing.experts.size();
    order_.resize(n_slots);
    groups_.clear();
    size_t n_ordered = 0;
    for (size_t e = 0; e < products[0].linear->weight->n_experts; ++e) {
      const size_t begin = n_ordered;
      for (size_t slot = 0; slot < n_slots; ++slot)
        if (size_t(routing.experts[slot]) == e) order_[n_ordered++] = uint32_t(slot);
      if (n_ordered > begin) groups_.push_back({e, begin, n_ordered});
    }
    multiply(products, in, n_slots / in.n_rows);
  }

  void expert_sum(Name, Tensor out, Tensor slots, const Routing& routing) noexcept override {
    pool_.run(out.n_rows, [&](size_t i) {
      std::fill_n(row(out, i), out.n_cols, 0.0f);
      for (size_t s = i * routing.n_used; s < (i + 1) * routing.n_used; ++s)
        kernels_.add_scaled(row(out, i), float(routing.weights[s]), row(slots, s), out.n_cols);
    });
  }

 private:
  /// How a weight is to be packed; null: not, or it is already.
  const TileFormat* format_of(const Weight& w) const {
    return kernels_.product[w.type->id] && packed_[w.id].n_tiles == 0 ? find_tile_format(w.type->id)
                                                                      : nullptr;
  }

  /// The rows order_[begin, end) that go through one expert's matrix (all rows, for a plain product).
  struct Group {
    size_t expert, begin, end;
  };
  struct Item {
    uint32_t product, group, tile, n_tiles;
  };
  /// Query heads that share a KV head, of the sequence whose rows begin at first_row.
  struct AttendItem {
    size_t first_row, kv_head, first_query, n_queries;
  };

  /// out row s = product of input row s / slots_per_row, for the rows of every group.
  void multiply(std::span<const Product> products, Tensor in, size_t slots_per_row) noexcept {
    round(products, in);
    share_out(products);
    look_ahead(products);
    pool_.run(items_.size(),
              [&](size_t i) {
                const Item& item = items_[i];
                const Product& product = products[item.product];
                const Group& group = groups_[item.group];
                const bool packed = packed_.size() > product.linear->weight->id &&
                                    packed_[product.linear->weight->id].n_tiles;
                if (packed)
                  multiply_packed(product, in, slots_per_row, group, item);
                else
                  multiply_unpacked(product, in, slots_per_row, group, item);
              },
              {ends_, std::span(begins_).subspan(last_begun_ * pool_.n_threads(), pool_.n_threads())});
  }

  /// Notes where each thread begins to read, as what lies ahead of the job before this one.
  void look_ahead(std::span<const Product> products) noexcept {
    const size_t n = pool_.n_threads(), id = products[0].linear->weight->id;
    begins_.resize(std::max(begins_.size(), (id + 1) * n));
    for (size_t t = 0; t < n; ++t) {
      const size_t first = t == 0 ? 0 : ends_[t - 1];
      if (first >= items_.size()) continue;
      const Item& item = items_[first];
      const Weight& w = *products[item.product].linear->weight;
      if (packed_.size() > w.id && packed_[w.id].n_tiles)
        begins_[last_begun_ * n + t] = packed_[w.id].tile(groups_[item.group].expert, item.tile);
    }
    last_begun_ = id;
  }

  /// Fills items_ with the tiles of all products and ends_ with where each thread's items end: as many bytes
  /// of weights for each thread, neighbours in memory, so that a thread reads one stream.
  void share_out(std::span<const Product> products) noexcept {
    items_.clear();
    ends_.clear();
    size_t total = 0, begun = 0;  // bytes
    for (const Product& product : products)
      total += tiles_of(*product.linear->weight) * tile_bytes_of(*product.linear->weight);
    total *= groups_.size();
    const bool several_tokens = order_.size() > groups_.size();
    for (uint32_t p = 0; p < products.size(); ++p) {
      const Weight& w = *products[p].linear->weight;
      const size_t n_tiles = tiles_of(w), tile_bytes = tile_bytes_of(w);
      for (uint32_t g = 0; g < groups_.size(); ++g)
        for (size_t tile = 0; tile < n_tiles;) {
          const size_t left = total * (ends_.size() + 1) / pool_.n_threads() - begun;
          size_t n = std::max<size_t>(1, std::max(left / kItemShare, kItemBytes) / tile_bytes);
          if (several_tokens) n = (n + kTileGroup - 1) / kTileGroup * kTileGroup;
          n = std::min(n, n_tiles - tile);
          items_.push_back({p, g, uint32_t(tile), uint32_t(n)});
          tile += n;
          begun += n * tile_bytes;
          while (begun >= total * (ends_.size() + 1) / pool_.n_threads()) ends_.push_back(items_.size());
        }
    }
  }
  static size_t tiles_of(const Weight& w) { return (w.n_rows + kTileRows - 1) / kTileRows; }
  static size_t tile_bytes_of(const Weight& w) { return w.row_bytes() * kTileRows; }

  /// Rounds the input once in each way that the products' types ask for.
  void round(std::span<const Product> products, Tensor in) noexcept {
    bool q8_k = false, q8_0 = false;
    for (const Product& p : products) {
      q8_k |= p.linear->weight->type->activations == Activations::q8_k;
      q8_0 |= p.linear->weight->type->activations == Activations::q8_0;
    }
    n_q8_k_ = in.n_cols / 256;
    n_q8_0_ = in.n_cols / 32;
    if (q8_k && q8_k_.size() < in.n_rows * n_q8_k_) q8_k_.resize(in.n_rows * n_q8_k_);
    if (q8_0 && q8_0_.size() < in.n_rows * n_q8_0_) q8_0_.resize(in.n_rows * n_q8_0_);
    pool_.run(in.n_rows, [&](size_t i) {
      if (q8_k) kernels_.round_q8_k(row(in, i), n_q8_k_, &q8_k_[i * n_q8_k_]);
      if (q8_0) kernels_.round_q8_0(row(in, i), n_q8_0_, &q8_0_[i * n_q8_0_]);
    });
  }

  /// Input row i in the form that a type's product reads.
  const void* rounded_row(const QuantType& type, Tensor in, size_t i) const {
    switch (type.activations) {
      case Activations::q8_k:
        return &q8_k_[i * n_q8_k_];
      case Activations::q8_0:
        return &q8_0_[i * n_q8_0_];
      case Activations::f32:
        break;
    }
    return row(in, i);
  }

  void multiply_packed(const Product& product, Tensor in, size_t slots_per_row, const Group& group,
                       const Item& item) {
    const Weight& w = *product.linear->weight;
    const PackedWeight& packed = packed_[w.id];
    const size_t first_row = item.tile * kTileRows;
    const void* rows[kMaxTokens];
    float* outs[kMaxTokens];
    TileJob job;
    job.tiles = packed.tile(group.expert, item.tile);
    job.tile_bytes = packed.tile_bytes;
    job.n_tiles = item.n_tiles;
    job.n_blocks = w.n_cols / w.type->block_elems;
    job.rows = rows;
    job.outs = outs;
    job.n_rows = std::min(w.n_rows - first_row, item.n_tiles * kTileRows);
    const Linear& linear = *product.linear;
    if (!linear.bias.empty()) job.bias = linear.bias.data() + group.expert * w.n_rows + first_row;
    job.has_scale = !linear.scale.empty();
    if (job.has_scale) job.scale = linear.scale[linear.scale.size() > 1 ? group.expert : 0];
    job.prefetch = options_.prefetch;
    for (size_t begin = group.begin; begin < group.end; begin += kMaxTokens) {
      job.n_tokens = std::min(kMaxTokens, group.end - begin);
      for (size_t t = 0; t < job.n_tokens; ++t) {
        const size_t slot = order_[begin + t];
        rows[t] = rounded_row(*w.type, in, slot / slots_per_row);
        outs[t] = row(product.out, slot) + first_row;
      }
      kernels_.product[w.type->id](job);
    }
  }

  void multiply_unpacked(const Product& product, Tensor in, size_t slots_per_row, const Group& group,
                         const Item& item) {
    const Weight& w = *product.linear->weight;
    thread_local std::vector<const void*> rows;
    thread_local std::vector<float> acc;
    const size_t n_tokens = group.end - group.begin;
    rows.resize(n_tokens);
    acc.resize(n_tokens * kTileRows);
    for (size_t t = 0; t < n_tokens; ++t)
      rows[t] = rounded_row(*w.type, in, order_[group.begin + t] / slots_per_row);
    const Linear& linear = *product.linear;
    for (size_t tile = item.tile; tile < item.tile + item.n_tiles; ++tile) {
      multiply_unpacked_tile(kernels_, w, group.expert, tile, rows, acc);
      const size_t first_row = tile * kTileRows, n_rows = std::min(kTileRows, w.n_rows - first_row);
      for (size_t t = 0; t < n_tokens; ++t) {
        float* const out = row(product.out, order_[group.begin + t]) + first_row;
        for (size_t r = 0; r < n_rows; ++r) {
          float y = acc[t * kTileRows + r];
          if (!linear.scale.empty()) y *= linear.scale[linear.scale.size() > 1 ? group.expert : 0];
          if (!linear.bias.empty()) y += linear.bias[group.expert * w.n_rows + first_row + r];
          out[r] = y;
        }
      }
    }
  }

  const Angles& angles_of(const Rope& rope, std::span<const int32_t> positions) {
    for (const Angles& a : angles_)
      if (a.serve(rope, positions)) return a;
    next_angles_ = (next_angles_ + 1) % std::size(angles_);
    angles_[next_angles_].compute(rope, positions);
    return angles_[next_angles_];
  }

  static Unary unary(Activation f) { return f == Activation::silu ? Unary::silu : Unary::gelu; }
  template <class T>
  static void copy_out(Tensor from, T* to) {
    for (size_t i = 0; i < from.n_rows; ++i) std::copy_n(row(from, i), from.n_cols, to + i * from.n_cols);
  }

  ThreadPool& pool_;
  CpuOptions options_;
  const KernelSet& kernels_;
  std::vector<PackedWeight> packed_;  // by Weight::id
  std::list<LargeBlock> memory_;
  // Scratch of the product under way; grows to the largest and stays.
  std::vector<RoundedQ8K> q8_k_;
  std::vector<RoundedQ8_0> q8_0_;
  size_t n_q8_k_ = 0, n_q8_0_ = 0;  // blocks of one input row
  std::vector<uint32_t> order_;
  std::vector<Group> groups_;
  std::vector<Item> items_;
  std::vector<size_t> ends_;         // of each thread's items
  std::vector<const void*> begins_;  // (weights, threads): where the job after a weight's begins to read
  size_t last_begun_ = 0;            // the first weight of the last job
  std::vector<AttendItem> attend_items_;
  std::vector<int32_t> expert_ids_;
  Angles angles_[2];  // models with local and global layers alternate between two
  size_t next_angles_ = 0;
};

}  // namespace

std::unique_ptr<Ops> make_cpu_ops(ThreadPool& pool, CpuOptions options) {
  return std::make_unique<CpuOps>(pool, std::move(options));
}

}  // namespace assay
