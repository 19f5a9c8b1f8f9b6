#include "diagnose/compare/compare_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/session.h"
#include "sampling/sampler.h"

namespace assay {
namespace {

/// A sequence that is what the tokenizer makes of its text, where it is: tokens cut or sampled one by one may
/// join.
void add_sequence(CompareText& text, const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  const Vocabulary& v = tokenizer.vocabulary();
  std::string decoded = tokenizer.decode(ids, {.drop_bos_eos = true});
  std::vector<int32_t> encoded;
  try {
    encoded = tokenizer.encode(decoded);
  } catch (const UsageError&) {  // half a character at an end
    decoded.clear();
  }
  if (decoded.empty()) {
    encoded = ids;
    if (v.add_bos && v.special.bos != kNoToken && (ids.empty() || ids[0] != v.special.bos))
      encoded.insert(encoded.begin(), v.special.bos);
  }
  if (encoded.empty()) return;
  text.sequences.push_back(std::move(encoded));
  text.texts.push_back(std::move(decoded));
}

std::vector<int32_t> sample(LoadedModel& anchor, Session& session, uint64_t seed, size_t n_tokens) {
  const Vocabulary& v = anchor.tokenizer().vocabulary();
  const size_t vocab_size = anchor.model().hparams().vocab_size;
  SamplingParams params;
  params.samplers = "temperature";
  params.temperature = 1;
  params.seed = seed;
  for (int32_t id = 0; id < v.n_tokens(); ++id)
    if (v.ends_generation[size_t(id)] || v.has(id, kControl | kUnknown | kUnused))
      params.logit_bias.push_back({id, -INFINITY});
  for (size_t id = size_t(v.n_tokens()); id < vocab_size; ++id)
    params.logit_bias.push_back({int32_t(id), -INFINITY});
  Sampler sampler(std::move(params), vocab_size);
  session.reset();
  std::vector<int32_t> ids;
  int32_t next = v.special.bos != kNoToken ? v.special.bos : v.special.eos != kNoToken ? v.special.eos : 0;
  while (ids.size() < n_tokens) {
    session.step(next);
    next = sampler.next(session.logits());
    ids.push_back(next);
  }
  return ids;
}

}  // namespace

CompareText make_text(const CompareOptions& o, LoadedModel& anchor) {
  const Tokenizer& tokenizer = anchor.tokenizer();
  const Vocabulary& v = tokenizer.vocabulary();
  CompareText text;
  if (o.prompt) {
    text.sequences.push_back(tokenizer.encode(*o.prompt));
    text.texts.push_back(*o.prompt);
    text.source = "the prompt";
    if (text.sequences[0].empty()) throw UsageError("the prompt has no tokens");
    return text;
  }
  const size_t n_bos = v.add_bos && v.special.bos != kNoToken ? 1 : 0;
  const size_t room =
      std::min<size_t>(CompareOptions::kSequence, anchor.model().hparams().n_ctx_train) - n_bos;
  if (o.text) {
    const std::vector<int32_t> ids = tokenizer.encode(*o.text, {.add_bos = false, .add_eos = false});
    const size_t n = std::min(ids.size(), o.n_tokens);
    for (size_t begin = 0; begin < n; begin += room)
      add_sequence(
          text, tokenizer,
          {ids.begin() + std::ptrdiff_t(begin), ids.begin() + std::ptrdiff_t(std::min(begin + room, n))});
    text.source = "the text";
    if (text.sequences.empty()) throw UsageError("the text has no tokens");
    return text;
  }
  Session session(anchor.model(), anchor.ops(), {.n_ctx = room + 1, .n_batch = 1, .kv_type = KvType::f32});
  for (size_t done = 0, i = 0; done < o.n_tokens; done += room, ++i)
    add_sequence(text, tokenizer, sample(anchor, session, o.seed + i, std::min(room, o.n_tokens - done)));
  text.source = fmt::format("sampled from the anchor, seed {}", o.seed);
  return text;
}

std::string piece_of(const Tokenizer& tokenizer, int32_t id) {
  return id >= 0 && id < tokenizer.vocabulary().n_tokens() ? std::string(tokenizer.piece(id)) : std::string();
}

Continuation continue_greedily(const Model& model, Ops& ops, const Tokenizer& tokenizer,
                               const std::vector<int32_t>& prompt, size_t n_greedy) {
  Continuation c;
  const size_t most = model.max_context();
  n_greedy = std::min(n_greedy, most > prompt.size() ? most - prompt.size() : 0);
  if (n_greedy == 0) return c;
  Session session(model, ops,
                  {.n_ctx = prompt.size() + n_greedy, .n_batch = prompt.size(), .kv_type = KvType::f32});
  session.prefill(prompt);
  while (c.ids.size() < n_greedy) {
    const TopToken top = top_token(session.logits());
    c.ids.push_back(top.id);
    c.gaps.push_back(top.gap);
    c.pieces.push_back(piece_of(tokenizer, top.id));
    if (tokenizer.ends_generation(top.id)) break;
    if (c.ids.size() < n_greedy) session.step(top.id);
  }
  return c;
}

}  // namespace assay
