#include "diagnose/verify/kernel_faults.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

namespace assay {

extern const std::span<const KernelFault> op_faults;  // op_faults.cpp

namespace {

using namespace cpu;

ReplacedKernel replaced;

void healthy_product(const TileJob& job) {
  replaced.set->product[replaced.type](job);
}

const QuantType& type() {
  return *find_quant_type(replaced.type);
}

/// Runs the healthy product on changed activations; change(row of blocks, number of blocks).
template <class Change>
void with_activations(const TileJob& job, const Change& change) {
  const size_t n_cols = job.n_blocks * type().block_elems;
  const auto run = [&]<class Block>(const Block*, size_t n_blocks) {
    std::vector<Block> copy(job.n_tokens * n_blocks);
    std::array<const void*, kMaxTokens> rows;
    for (size_t t = 0; t < job.n_tokens; ++t) {
      Block* const row = copy.data() + t * n_blocks;
      std::copy_n(static_cast<const Block*>(job.rows[t]), n_blocks, row);
      change(row, n_blocks);
      rows[t] = row;
    }
    TileJob j = job;
    j.rows = rows.data();
    healthy_product(j);
  };
  if (type().activations == Activations::q8_k)
    run(static_cast<const RoundedQ8K*>(nullptr), n_cols / 256);
  else
    run(static_cast<const RoundedQ8_0*>(nullptr), n_cols / 32);
}

/// Runs the healthy product with token t reading row from(t).
template <class From>
void with_rows(const TileJob& job, const From& from) {
  std::array<const void*, kMaxTokens> rows;
  for (size_t t = 0; t < job.n_tokens; ++t) rows[t] = job.rows[from(t)];
  TileJob j = job;
  j.rows = rows.data();
  healthy_product(j);
}

/// change(out, t) after the healthy product.
template <class Change>
void then(const TileJob& job, const Change& change) {
  healthy_product(job);
  for (size_t t = 0; t < job.n_tokens; ++t) change(job.outs[t]);
}

/// The product block by block, summed with plain additions, in order or from the last block on.
void unfused(const TileJob& job, bool backwards) {
  std::vector<float> one(job.n_rows * job.n_tokens), sum(one.size());
  std::array<float*, kMaxTokens> outs;
  std::array<const void*, kMaxTokens> rows;
  const QuantType& t = type();
  const size_t unit = t.activations == Activations::q8_k ? 256 : t.activations == Activations::q8_0 ? 32 : 1;
  const size_t bytes = t.activations == Activations::q8_k   ? sizeof(RoundedQ8K)
                       : t.activations == Activations::q8_0 ? sizeof(RoundedQ8_0)
                                                            : sizeof(float);
  for (size_t step = 0; step < job.n_blocks; ++step) {
    const size_t b = backwards ? job.n_blocks - 1 - step : step;
    TileJob j = job;
    j.tiles += b * kTileRows * t.block_bytes;
    j.n_blocks = 1;
    j.bias = nullptr;
    j.has_scale = false;
    for (size_t i = 0; i < job.n_tokens; ++i) {
      rows[i] = static_cast<const uint8_t*>(job.rows[i]) + b * t.block_elems / unit * bytes;
      outs[i] = one.data() + i * job.n_rows;
    }
    j.rows = rows.data();
    j.outs = outs.data();
    healthy_product(j);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += one[i];
  }
  for (size_t i = 0; i < job.n_tokens; ++i)
    for (size_t r = 0; r < job.n_rows; ++r) {
      float y = sum[i * job.n_rows + r];
      if (job.has_scale) y *= job.scale;
      if (job.bias) y += job.bias[r];
      job.outs[i][r] = y;
    }
}

template <class Block>
void fill_sums(Block& b, int value) {
  if constexpr (std::is_same_v<Block, RoundedQ8K>) {
    std::fill_n(b.minus_sum16, 16, value);
    std::fill_n(b.minus_sum32, 8, value);
  } else {
    b.minus_sum = value;
  }
}
template <class Block>
void fill_min_sums(Block& b, int value) {
  if constexpr (std::is_same_v<Block, RoundedQ8K>) {
    std::fill_n(b.sum16, 16, int16_t(value));
    std::fill_n(b.sum32, 8, int16_t(value));
  } else {
    b.minus_sum = value;
  }
}

bool rounds(const QuantType& t) {
  return t.activations != Activations::f32;
}
bool has_mins(const QuantType& t) {
  return t.has_mins;
}

// A faulty product, a faulty product of blocks taken apart, a faulty product of floats.
#define PRODUCT(...) \
  [](KernelSet& s, uint32_t id) { s.product[id] = [](const TileJob& job) noexcept { __VA_ARGS__; }; }
#define CHANGE_BLOCKS(...)                                       \
  PRODUCT(with_activations(job, [](auto* row, size_t n_blocks) { \
    for (size_t b = 0; b < n_blocks; ++b) {                      \
      __VA_ARGS__;                                               \
    }                                                            \
  }))

constexpr KernelFault kProductFaults[] = {
    {"last-row-dropped", kProduct, "the last row of the weight is not computed", "one output stays 0",
     PRODUCT(then(job, [&](float* out) { out[job.n_rows - 1] = 0; }))},
    {"tail-rows-dropped", kProduct, "rows that do not fill a tile of 16 are not computed",
     "the tail of the outputs is 0",
     PRODUCT(then(job, [&](float* out) { std::fill(out + job.n_rows / 16 * 16, out + job.n_rows, 0.0f); }))},
    {"last-block-dropped", kProduct, "the loop over blocks ends one early",
     "noise; nothing is left of one-block rows",
     PRODUCT(TileJob j = job; j.n_blocks -= 1; healthy_product(j))},
    {"last-token-dropped", kProduct, "the last token of a batch is not computed",
     "prompts of some lengths break",
     PRODUCT(TileJob j = job; j.n_tokens -= job.n_tokens > 1; healthy_product(j))},
    {"odd-token-repeats", kProduct,
     "tokens go in pairs; the last of an odd number reads its neighbour's activations",
     "prompts of odd length break",
     PRODUCT(with_rows(
         job,
         [&](size_t t) { return job.n_tokens % 2 == 1 && t > 0 && t + 1 == job.n_tokens ? t - 1 : t; }))},
    {"tokens-read-first", kProduct, "every token reads the first token's activations",
     "all tokens of a batch agree", PRODUCT(with_rows(job, [](size_t) { return size_t(0); }))},
    {"ninth-token-wrong", kProduct, "tokens after the eighth read the eighth's activations",
     "long prompts break, short do not",
     PRODUCT(with_rows(job, [](size_t t) { return std::min<size_t>(t, 7); }))},
    {"bias-forgotten", kProduct, "the bias is not added", "models with biases break",
     PRODUCT(TileJob j = job; j.bias = nullptr; healthy_product(j))},
    {"scale-forgotten", kProduct, "the tensor's scale is not applied", "outputs too large by one factor",
     PRODUCT(TileJob j = job; j.has_scale = false; healthy_product(j))},
    {"bias-before-scale", kProduct, "the scale multiplies the bias too",
     "outputs shifted by a constant vector",
     PRODUCT(TileJob j = job; j.bias = nullptr; j.has_scale = false; healthy_product(j);
             for (size_t t = 0; t < job.n_tokens; ++t) for (size_t r = 0; r < job.n_rows; ++r) {
               if (job.bias) job.outs[t][r] += job.bias[r];
               if (job.has_scale) job.outs[t][r] *= job.scale;
             })},
    {"tiles-repeat", kProduct, "the tile pointer does not advance", "outputs repeat every 16 rows",
     PRODUCT(TileJob j = job; j.tile_bytes = 0; healthy_product(j))},
    {"lanes-exchanged", kProduct, "lanes 0 and 8 of a tile are exchanged",
     "outputs permuted; their norm is right",
     PRODUCT(then(job,
                  [&](float* out) {
                    for (size_t r = 0; r + 8 < job.n_rows; r += 16) std::swap(out[r], out[r + 8]);
                  }))},
    {"not-cleared", kProduct, "the product is added to what the output held",
     "the first run is right, later ones are not",
     PRODUCT(std::vector<float> before; for (size_t t = 0; t < job.n_tokens; ++t) before.insert(
         before.end(), job.outs[t], job.outs[t] + job.n_rows);
             healthy_product(job);
             for (size_t t = 0; t < job.n_tokens; ++t) for (size_t r = 0; r < job.n_rows; ++r)
                 job.outs[t][r] += before[t * job.n_rows + r])},
    {"unfused", kProduct, "multiplies and adds round apart", "last bits differ between machines",
     PRODUCT(unfused(job, false))},
    {"blocks-backwards", kProduct, "blocks are added from the last to the first",
     "last bits differ between machines", PRODUCT(unfused(job, true))},
    {"activations-negated", kProduct, "the sign of the activations is turned", "outputs negated",
     CHANGE_BLOCKS(for (int8_t& q
                        : row[b].q) q = int8_t(-q)),
     rounds},
    {"activations-saturated", kProduct, "activations are cut to 7 bits", "large activations count half",
     CHANGE_BLOCKS(for (int8_t& q
                        : row[b].q) q = std::clamp<int8_t>(q, -63, 63)),
     rounds},
    {"activation-step-ignored", kProduct, "the activations' d is taken as 1",
     "outputs too large, by another factor each block", CHANGE_BLOCKS(row[b].d = 1), rounds},
    {"activation-step-of-first", kProduct, "the first block's d serves the whole row",
     "right for rows of one block", CHANGE_BLOCKS(row[b].d = row[0].d), rounds},
    {"nan-swallowed", kProduct, "a block with NaN counts as zero", "a fault upstream is hidden",
     CHANGE_BLOCKS(if (std::isnan(row[b].d)) row[b].d = 0), rounds},
    {"minus-sum-ignored", kProduct, "the codes' bias is not taken back",
     "every output shifted by the activations' sum", CHANGE_BLOCKS(fill_sums(row[b], 0)), rounds,
     CHANGE_BLOCKS(fill_sums(row[b], 1234567))},
    {"mins-ignored", kProduct, "the mins' product is not subtracted", "every output shifted",
     CHANGE_BLOCKS(fill_min_sums(row[b], 0)), has_mins, CHANGE_BLOCKS(fill_min_sums(row[b], 12345))},
};
#undef CHANGE_BLOCKS
#undef PRODUCT

void healthy_unpacked(const UnpackedJob& job) {
  (type().activations == Activations::q8_k ? replaced.set->unpacked_q8_k : replaced.set->unpacked_q8_0)(job);
}
/// Runs the healthy function on a changed tile.
template <class Change>
void with_tile(const UnpackedJob& job, const Change& change) {
  UnpackedTile tile = *job.tile;
  change(tile);
  UnpackedJob j = job;
  j.tile = &tile;
  healthy_unpacked(j);
}
template <class Change>
void with_unpacked_activations(const UnpackedJob& job, const Change& change) {
  for (size_t t = 0; t < job.n_tokens; ++t) {
    UnpackedJob j = job;
    const void* row;
    j.rows = &row;
    j.n_tokens = 1;
    j.acc += t * kTileRows;
    const auto run = [&](const auto& healthy_block) {
      auto block = healthy_block;
      change(block);
      row = &block;
      healthy_unpacked(j);
    };
    if (type().activations == Activations::q8_k)
      run(*static_cast<const RoundedQ8K*>(job.rows[t]));
    else
      run(*static_cast<const RoundedQ8_0*>(job.rows[t]));
  }
}
constexpr size_t kUnit(bool q8_k) {
  return q8_k ? 256 : 32;
}
bool has_sub_blocks(const QuantType& t) {
  return rounds(t) && t.sub_elems < kUnit(t.activations == Activations::q8_k);
}

#define UNPACKED(...)                                                                         \
  [](KernelSet& s, uint32_t) {                                                                \
    s.unpacked_q8_k = s.unpacked_q8_0 = [](const UnpackedJob& job) noexcept { __VA_ARGS__; }; \
  }
/// A fault of blocks taken apart is listed once and made for both activation roundings.
constexpr KernelFault kUnpackedFaults[] = {
    {"mins-ignored", kUnpacked, "the mins' product is not subtracted", "every output shifted",
     UNPACKED(UnpackedJob j = job; j.has_mins = false; healthy_unpacked(j)), has_mins},
    {"mins-added", kUnpacked, "the mins' product is added", "every output shifted",
     UNPACKED(with_tile(job,
                        [](UnpackedTile& t) {
                          for (float& d : t.dmin) d = -d;
                        })),
     has_mins},
    {"first-scale-for-all", kUnpacked, "every sub-block uses the first one's scale", "outputs scaled wrongly",
     UNPACKED(with_tile(job,
                        [](UnpackedTile& t) {
                          for (size_t i = 16; i < 256; ++i) t.scale[i] = t.scale[i % 16];
                        })),
     has_sub_blocks},
    {"scale-ignored", kUnpacked, "sub-block scales are taken as 1", "outputs scaled wrongly",
     UNPACKED(with_tile(job, [](UnpackedTile& t) { std::fill_n(t.scale, 256, 1); })), has_sub_blocks},
    {"step-ignored", kUnpacked, "the weights' d is taken as 1", "outputs scaled wrongly",
     UNPACKED(with_tile(job, [](UnpackedTile& t) { std::fill_n(t.d, 16, 1.0f); })), rounds},
    {"last-codes-dropped", kUnpacked, "the last four codes of a block are not read", "noise",
     UNPACKED(with_tile(job,
                        [q8_k = type().activations == Activations::q8_k](UnpackedTile& t) {
                          std::fill_n(t.codes + (kUnit(q8_k) - 4) * 16, 64, int8_t(0));
                        })),
     rounds},
    {"codes-unsigned", kUnpacked, "the sign of the codes is lost", "noise with a mean",
     UNPACKED(with_tile(job,
                        [](UnpackedTile& t) {
                          for (int8_t& q : t.codes) q = int8_t(std::abs(q));
                        })),
     [](const QuantType& t) {
       return rounds(t) && t.name != "Q4_1" && t.name != "Q5_1" && t.name != "Q2_K" && t.name != "Q4_K" &&
              t.name != "Q5_K";
     }},
    {"lanes-exchanged", kUnpacked, "rows 0 and 8 of a tile are exchanged", "outputs permuted",
     UNPACKED(with_tile(job,
                        [](UnpackedTile& t) {
                          std::swap(t.d[0], t.d[8]);
                          std::swap(t.dmin[0], t.dmin[8]);
                          for (size_t i = 0; i < 16; ++i)
                            std::swap(t.scale[i * 16], t.scale[i * 16 + 8]),
                                std::swap(t.min[i * 16], t.min[i * 16 + 8]);
                          for (size_t i = 0; i < 64; ++i)
                            for (size_t k = 0; k < 4; ++k)
                              std::swap(t.codes[i * 64 + k], t.codes[i * 64 + 32 + k]);
                        })),
     rounds},
    {"last-row-dropped", kUnpacked, "lane 15 is not computed", "every sixteenth output is wrong",
     UNPACKED(with_tile(job,
                        [](UnpackedTile& t) {
                          t.d[15] = 0;
                          t.dmin[15] = 0;
                        })),
     rounds},
    {"sum-restarts", kUnpacked, "the sum restarts with every block", "only the last block counts",
     UNPACKED(std::fill_n(job.acc, job.n_tokens* kTileRows, 0.0f); healthy_unpacked(job)), rounds},
    {"activation-step-ignored", kUnpacked, "the activations' d is taken as 1", "outputs scaled wrongly",
     UNPACKED(with_unpacked_activations(job, [](auto& b) { b.d = 1; })), rounds},
    {"activations-saturated", kUnpacked, "activations are cut to 7 bits", "large activations count half",
     UNPACKED(with_unpacked_activations(job,
                                        [](auto& b) {
                                          for (int8_t& q : b.q) q = std::clamp<int8_t>(q, -63, 63);
                                        })),
     rounds},
    {"minus-sum-ignored", kUnpacked, "the codes' bias is not taken back", "every output shifted",
     UNPACKED(with_unpacked_activations(job, [](auto& b) { fill_sums(b, 0); })), rounds,
     UNPACKED(with_unpacked_activations(job, [](auto& b) { fill_sums(b, 1234567); }))},
};
#undef UNPACKED

bool is_float(const QuantType& t) {
  return !rounds(t);
}
void healthy_float(const FloatTileJob& job) {
  replaced.set->float_tile(job);
}
/// acc = add(acc, w, x) over columns from first to last or back.
template <class Add>
void plain_float_tile(const FloatTileJob& job, bool backwards, const Add& add) {
  for (size_t t = 0; t < job.n_tokens; ++t)
    for (size_t r = 0; r < kTileRows; ++r)
      for (size_t step = 0; step < job.n_cols; ++step) {
        const size_t k = backwards ? job.n_cols - 1 - step : step;
        float& acc = job.acc[t * kTileRows + r];
        acc = add(acc, job.weights[k * kTileRows + r], job.rows[t][k]);
      }
}
#define FLOAT_TILE(...) \
  [](KernelSet& s, uint32_t) { s.float_tile = [](const FloatTileJob& job) noexcept { __VA_ARGS__; }; }
constexpr KernelFault kFloatFaults[] = {
    {"last-column-dropped", kFloatTile, "the loop over columns ends one early", "noise",
     FLOAT_TILE(FloatTileJob j = job; j.n_cols -= 1; healthy_float(j)), is_float},
    {"sum-restarts", kFloatTile, "the sum restarts with every call", "only the last columns count",
     FLOAT_TILE(std::fill_n(job.acc, job.n_tokens* kTileRows, 0.0f); healthy_float(job)), is_float},
    {"unfused", kFloatTile, "multiplies and adds round apart", "last bits differ between machines",
     FLOAT_TILE(plain_float_tile(job, false, [](float a, float w, float x) { return a + w * x; })), is_float},
    {"columns-backwards", kFloatTile, "columns are added from the last", "last bits differ between machines",
     FLOAT_TILE(plain_float_tile(job, true, [](float a, float w, float x) { return std::fma(w, x, a); })),
     is_float},
    {"last-row-dropped", kFloatTile, "lane 15 is not computed", "every sixteenth output is wrong",
     FLOAT_TILE(healthy_float(job);
                for (size_t t = 0; t < job.n_tokens; ++t) job.acc[t * kTileRows + 15] = 0),
     is_float},
};
#undef FLOAT_TILE

}  // namespace

const ReplacedKernel& replaced_kernel() noexcept {
  return replaced;
}

std::vector<const KernelFault*> kernel_faults() {
  std::vector<const KernelFault*> all;
  for (const std::span<const KernelFault> list :
       {std::span<const KernelFault>(kProductFaults), std::span<const KernelFault>(kUnpackedFaults),
        std::span<const KernelFault>(kFloatFaults), op_faults})
    for (const KernelFault& fault : list) all.push_back(&fault);
  return all;
}

std::string KernelMutant::name() const {
  constexpr std::array kNames{"round_q8_k", "round_q8_0", "product",  "unpacked", "float_tile", "attend",
                              "normalize",  "activate",   "soft_cap", "add",      "add_scaled", "rotate"};
  std::string name(healthy->name);
  name.append("/").append(kNames[size_t(std::countr_zero(uint32_t(fault->function)))]);
  if (type) name.append("/").append(type->name);
  return name.append("/").append(fault->id);
}

std::vector<KernelMutant> kernel_mutants(const KernelSet& set) {
  constexpr uint32_t kServesTypes = kProduct | kUnpacked | kFloatTile;
  std::vector<KernelMutant> mutants;
  for (const KernelFault* fault : kernel_faults()) {
    if ((fault->function & kServesTypes) == 0) {
      mutants.push_back({fault, &set, nullptr});
      continue;
    }
    for (const QuantType& type : quant_types())
      if ((!fault->touches || fault->touches(type)) && (fault->function != kProduct || set.product[type.id]))
        mutants.push_back({fault, &set, &type});
  }
  return mutants;
}

KernelSet make_kernel_set(const KernelMutant& mutant, bool probe) {
  KernelSet set = *mutant.healthy;
  replaced = {mutant.healthy, mutant.type ? mutant.type->id : 0};
  (probe ? mutant.fault->probe : mutant.fault->install)(set, replaced.type);
  return set;
}

}  // namespace assay
