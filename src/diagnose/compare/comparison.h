// assay compare as data: files and engines beside an anchor, and what each difference means.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "diagnose/compare/storage_noise.h"
#include "diagnose/compare/text_run.h"

namespace assay {

enum class CompareVerdict : uint8_t { ok, expected_noise, fault, not_enough_data };
/// "ok", "expected noise", "fault", "not enough data".
std::string_view verdict_name(CompareVerdict verdict) noexcept;

/// One quantity of a row and where it falls in its null distribution.
struct Test {
  std::string name;  // "KL", "top token", "l_out-3", "gap of the top tokens"
  double observed = 0;
  double expected = 0;  // of the null's middle
  double limit = 0;     // noise exceeds it with the probability below which a row is a fault
  double z = 0;         // (observed - middle) / scale, on the logarithm where the quantity is positive
  double p = 1;         // probability that noise alone gives as much
};

/// Greedy continuation of the prompt.
struct Continuation {
  std::vector<int32_t> ids;
  std::vector<std::string> pieces;  // texts of the ids; bytes
  std::vector<float> gaps;          // between the two likeliest tokens
  std::optional<size_t> fork;       // first id that is not the anchor's
  double fork_gap = 0;              // what the anchor had between its token and this one there, in logits
};

/// One file run by one engine.
struct CompareRow {
  std::string path, label, engine;  // engine: a backend, or "exact + fault ids"
  std::string types;                // "Q4_K 37, Q6_K 7, F32 13"
  uint64_t n_bytes = 0;
  double bits_per_weight = 0;
  bool is_anchor = false;

  std::vector<std::string> token_faults, notes;
  std::vector<TensorJudgement> tensors;  // in the file's order
  double weight_ratio = 1;               // RMS of all weights' errors over what the types must give

  bool has_top = false;
  TopToken top;  // behind the prompt's last token
  std::string top_text, second_text;
  bool comparable = false;  // its ids are the anchor's: the figures below are set
  double kl = 0;            // mean over the text, from the anchor
  uint64_t n_same_top = 0;
  std::vector<double> layers;           // relative error of l_out-N
  std::optional<double> arithmetic_kl;  // from exact on the same file
  std::string arithmetic;               // how the engine's arithmetic was checked; empty: it is exact
  std::string arithmetic_fault;

  std::vector<Test> tests;
  double p = 1;         // of all tests together: the smallest, times the number of tests of the comparison
  std::string no_null;  // why there is no null distribution; empty: there is one
  bool null_is_exact = false;  // the types hold the anchor's values as they are
  Continuation continuation;

  CompareVerdict verdict = CompareVerdict::not_enough_data;
  std::string reason;  // in words, with figures
};

struct Comparison {
  std::string anchor_path, anchor_label, anchor_types;
  std::string text_source;  // "sampled from the anchor, seed 1"
  std::string prompt;       // the text of the last sequence, decoded
  size_t n_tokens = 0, n_sequences = 0, n_draws = 0;
  size_t n_tests = 1;  // that share out the chance of a false alarm
  Continuation anchor_continuation;
  std::vector<std::string> notes;
  std::vector<CompareRow> rows;

  bool has_fault() const;
};

/// One false alarm in ten thousand comparisons of healthy files; and what is no longer in the bulk of the
/// null.
inline constexpr double kFaultChance = 1e-4, kBulkChance = 0.05;
/// Fewer tokens leave RoPE, mask and cache untried, and when all top tokens agree, an engine that loses one
/// in six is still not excluded (0.83^16 = 0.05).
inline constexpr size_t kLeastTokens = 16;
/// A null whose limit is so many times its middle excludes nothing that matters.
inline constexpr double kWidestNull = 10;

/// Sets p, verdict and reason of every row from what was measured. The chance of a false alarm is shared out
/// over all tests of all rows (Bonferroni).
void judge(Comparison& comparison);

}  // namespace assay
