// The contract between the CPU evaluator and its instruction sets: plain data and functions on plain data,
// safe to read on a processor that lacks the instructions. The arithmetic of each function:
// docs/arithmetic.md.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ops/kv_type.h"

namespace assay::cpu {

inline constexpr size_t kTileRows = 16;    // weight rows interleaved across lanes
inline constexpr size_t kGroupBlocks = 8;  // blocks of a tile whose small parts stand together
inline constexpr size_t kTileGroup =
    6;  // tiles of a TileJob of several tokens come in multiples of this where they can
inline constexpr size_t kMaxTokens = 128;                    // tokens of one TileJob
inline constexpr size_t kMaxQueries = 8;                     // query heads of one AttendJob
inline constexpr size_t kAttendTile = 64;                    // positions of one step of the online softmax
inline constexpr size_t kReadProbeBytes = 6 * 24 * 64 * 64;  // what one call of probe_read reads
inline constexpr size_t kMaxTypeId = 64;                     // quant ids are below this

/// 256 activations rounded as Q8_K, with the sums that kernels need.
struct alignas(64) RoundedQ8K {
  int8_t q[256];
  int32_t minus_sum16[16];  // -(sum of 16 q): what a code's bias is multiplied by
  int32_t minus_sum32[8];
  int16_t sum16[16];  // for products with mins
  int16_t sum32[8];
  float d;
};

/// 32 activations rounded as Q8_0.
struct RoundedQ8_0 {
  int8_t q[32];
  int32_t minus_sum;
  float d;
};

/// How integer products ask memory ahead for the weights of a single token. The results are the same.
enum class Prefetch : uint8_t {
  steady,  // a few cache lines at a time, while they multiply
  bursts,  // all lines of some KiB at once
};
/// The one that is faster on this processor: bursts on AMD's Zen 5, where they were found best; on Zen 4 they
/// cost up to half of the bandwidth.
Prefetch best_prefetch() noexcept;

/// A few tiles of one weight times a block of tokens.
struct TileJob {
  const uint8_t* tiles = nullptr;  // first tile, 64-byte aligned
  size_t tile_bytes = 0;           // from one tile to the next
  size_t n_tiles = 0;
  size_t n_blocks = 0;                // of a row, in the type's blocks
  const void* const* rows = nullptr;  // (n_tokens) RoundedQ8K, RoundedQ8_0 or f32 rows
  float* const* outs = nullptr;       // (n_tokens) where row 0 of tile 0 goes
  size_t n_tokens = 0;                // at most kMaxTokens
  size_t n_rows = 0;                  // rows of the weight in these tiles; the last tile may be part empty
  const float* bias = nullptr;        // (n_rows); null: none
  float scale = 1;                    // multiplies the product; used only when has_scale
  bool has_scale = false;
  Prefetch prefetch = Prefetch::steady;
};

/// One block of 16 rows taken apart by the quant table, for types without a kernel of their own: codes as
/// signed bytes [k / 4][row][k % 4], scales and mins [sub-block][row].
struct alignas(64) UnpackedTile {
  int8_t codes[64 * 16 * 4];
  int32_t scale[16 * 16];
  int32_t min[16 * 16];
  float d[16], dmin[16];
};
/// acc (n_tokens, 16) += the product of one unpacked activation block; `rows` point at that block.
struct UnpackedJob {
  const UnpackedTile* tile = nullptr;
  size_t sub_elems = 0;  // 16, 32 or, for one scale, the block's size
  bool has_mins = false;
  const void* const* rows = nullptr;
  size_t n_tokens = 0;
  float* acc = nullptr;
};
/// acc (n_tokens, 16) += f32 weights [k][16] times activations.
struct FloatTileJob {
  const float* weights = nullptr;
  size_t n_cols = 0;
  const float* const* rows = nullptr;
  size_t n_tokens = 0;
  float* acc = nullptr;
};

/// Query heads that share a KV head and a sequence.
struct AttendJob {
  const void* keys = nullptr;           // [position / 16][head_dim][position % 16]
  const void* values = nullptr;         // [position][value_stride]
  size_t value_stride = 0;              // head_dim rounded up to 16
  KvType stored = KvType::f32;          // q8_0: int8 codes, head_dim a multiple of 32
  const float* key_scales = nullptr;    // q8_0: [position / 16][head_dim / 32][position % 16]
  const float* value_scales = nullptr;  // q8_0: [position][head_dim / 32]
  size_t head_dim = 0;
  float scale = 1, soft_cap = 0;
  size_t n_queries = 0;  // at most kMaxQueries
  const float* queries[kMaxQueries] = {};
  float* outs[kMaxQueries] = {};
  size_t begin[kMaxQueries] = {}, end[kMaxQueries] = {};  // positions that each may see
  float* scratch = nullptr;                               // kMaxQueries * value_stride, 64-byte aligned
};

enum class Unary : uint8_t { silu, gelu };

struct KernelSet {
  std::string_view name;
  uint32_t needs = 0;  // CpuFlag bits, all required

  void (*round_q8_k)(const float* x, size_t n_blocks, RoundedQ8K* out) noexcept = nullptr;
  void (*round_q8_0)(const float* x, size_t n_blocks, RoundedQ8_0* out) noexcept = nullptr;
  /// By quant id; null: the type goes through `unpacked` or `float_tile`.
  void (*product[kMaxTypeId])(const TileJob&) noexcept = {};
  void (*unpacked_q8_k)(const UnpackedJob&) noexcept = nullptr;
  void (*unpacked_q8_0)(const UnpackedJob&) noexcept = nullptr;
  void (*float_tile)(const FloatTileJob&) noexcept = nullptr;
  void (*attend)(const AttendJob&) noexcept = nullptr;
  /// y may be x. weight, bias: n values or null. `layer`: subtract the mean.
  void (*normalize)(bool layer, float epsilon, const float* x, size_t n, const float* weight,
                    const float* bias, float* y) noexcept = nullptr;
  /// x = f(x) * (up ? up : 1).
  void (*activate)(Unary f, float* x, const float* up, size_t n) noexcept = nullptr;
  void (*soft_cap)(float* x, float cap, size_t n) noexcept = nullptr;
  void (*add)(float* x, const float* y, size_t n) noexcept = nullptr;
  /// What the machine can do at most: kernels/limits.inc.
  std::array<int32_t (*)(const uint8_t* p) noexcept, 2> probe_read{};  // ways to read kReadProbeBytes
  int32_t (*probe_dot)(size_t n_rounds) noexcept = nullptr;
  float (*probe_fma)(size_t n_rounds) noexcept = nullptr;
  /// Null: BF16 weights are multiplied by f32 fma; otherwise by the BF16 dot.
  float (*probe_bf16_dot)(size_t n_rounds) noexcept = nullptr;
  size_t probe_chains = 0;
  /// out = fma(weight, x, out).
  void (*add_scaled)(float* out, float weight, const float* x, size_t n) noexcept = nullptr;
  /// Rotates the first 2 * n_pairs numbers of a head by angles given as cosines and sines.
  void (*rotate)(float* head, const float* cosines, const float* sines, size_t n_pairs,
                 bool adjacent) noexcept = nullptr;
};

/// Products of an instruction set that serves a few types only: they replace those of another set.
struct KernelExtension {
  std::string_view name;
  uint32_t needs = 0;  // CpuFlag bits, all required beside those of the set
  struct Product {
    uint32_t quant_id = 0;
    void (*product)(const TileJob&) noexcept = nullptr;
  };
  Product products[8] = {};  // up to the first null
  float (*probe_bf16_dot)(size_t n_rounds) noexcept = nullptr;
};

/// Every set that was built, slowest first; the first is complete and runs everywhere.
std::span<const KernelSet* const> kernel_sets() noexcept;
bool runs_here(const KernelSet& set) noexcept;
/// The last set that runs here.
const KernelSet& best_kernel_set() noexcept;
/// The best set with the BF16 dot for BF16 weights, which kernel_sets() leaves out: its results are not
/// theirs. Null where the processor has no such instruction, or one that rounds otherwise than
/// docs/arithmetic.md says.
const KernelSet* bf16_kernel_set() noexcept;

}  // namespace assay::cpu
