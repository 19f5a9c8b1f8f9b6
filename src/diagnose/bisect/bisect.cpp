#include "diagnose/bisect/bisect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "diagnose/dumps/safetensors_writer.h"
#include "exact/ops_exact.h"
#include "ops/other_parameters.h"
#include "ops/trace_ops.h"
#include "quant/encode/encode.h"
#include "runtime/session.h"

namespace assay {
namespace {

std::string full_name(Name name) {
  return name.layer >= 0 ? fmt::format("{}-{}", name.base, name.layer) : name.base;
}

/// Columns of one head in a step's results; 0: the columns are no heads.
size_t head_dim_of(const LockstepStep& step, const Hparams& h) {
  if (std::holds_alternative<RopeCall>(step.call) || std::holds_alternative<AttentionCall>(step.call) ||
      std::holds_alternative<StoreCall>(step.call))
    return h.head_dim;
  const std::string_view base = step.name.base;
  const bool heads = base.starts_with("Qcur") || base.starts_with("Kcur") || base.starts_with("Vcur");
  return heads && step.first.n_cols % h.head_dim == 0 ? h.head_dim : 0;
}

std::string weight_of(const LockstepStep& step) {
  if (const auto* c = std::get_if<LinearCall>(&step.call)) return c->linear->weight->name;
  if (const auto* c = std::get_if<EmbedCall>(&step.call)) return c->table->name;
  return {};
}

Excess worst_excess(const LockstepStep& step, const Values& allowed) {
  Excess worst = *first_excess(step, allowed);
  double most = 0;
  for (size_t i = 0; i < allowed.x.size(); ++i) {
    const double difference = std::abs(step.first.x[i] - step.second.x[i]);
    const double share = std::isfinite(difference) ? difference / (allowed.x[i] + 1e-300) : INFINITY;
    if (difference == 0 || !(share > most)) continue;
    most = share;
    worst = {i / allowed.n_cols, i % allowed.n_cols, step.first.x[i], step.second.x[i], allowed.x[i]};
  }
  return worst;
}

Divergence describe(const LockstepStep& step, Judgement judgement, bool second_is_right, const Hparams& h) {
  Divergence d;
  d.op = op_name(step.call);
  d.name = full_name(step.name);
  d.layer = step.name.layer;
  d.weight = weight_of(step);
  d.note = std::move(judgement.note);
  d.allowed = std::move(judgement.allowed);
  d.step = step;
  d.worst = worst_excess(step, d.allowed);
  const ResultPair c{second_is_right ? d.step.second : d.step.first,
                     second_is_right ? d.step.first : d.step.second, d.allowed, head_dim_of(step, h)};
  d.pattern = find_pattern(c);
  d.where = d.pattern.text(c);
  return d;
}

Values twice(Values v) {
  for (double& x : v.x) x *= 2;
  return v;
}

double unit_roundoff(DumpType type) {
  switch (type) {
    case DumpType::bf16:
      return 0x1p-9;
    case DumpType::f16:
      return 0x1p-11;
    case DumpType::f32:
      return 0x1p-24;
    case DumpType::f64:
      return 0x1p-53;
  }
  return 0;
}

void run_session(const Model& model, Ops& ops, std::span<const int32_t> ids, KvType kv_type) {
  Session session(
      model, ops,
      {.n_ctx = ids.size(), .n_batch = ids.size(), .n_logit_rows = ids.size(), .kv_type = kv_type});
  session.prefill(ids, [](size_t, std::span<const float>, std::span<const float>) {});
}

/// Squared sum of a, of a - b, and of what the two types explain of a - b, over up to 64 rows.
struct WeightDifference {
  double size = 0, seen = 0, explained = 0;
};
double encoding_error(const QuantType& type, const std::vector<float>& w, size_t n_cols) {
  std::vector<std::byte> blocks(w.size() / type.block_elems * type.block_bytes);
  std::vector<float> decoded(w.size());
  encode_rows(type, w.data(), w.size() / n_cols, n_cols, {.importance = {}, .effort = Effort::fast},
              blocks.data());
  type.dequantize(blocks.data(), w.size() / type.block_elems, decoded.data());
  double sum = 0;
  for (size_t i = 0; i < w.size(); ++i) sum += (double(w[i]) - decoded[i]) * (double(w[i]) - decoded[i]);
  return sum;
}
WeightDifference compare_weights(const Weight& a, const Weight& b) {
  WeightDifference d;
  const size_t n_rows = a.n_rows * a.n_experts, n_some = std::min<size_t>(n_rows, 64);
  std::vector<float> wa(a.n_cols), wb(a.n_cols);
  for (size_t k = 0; k < n_some; ++k) {
    const size_t row = k * n_rows / n_some;
    a.type->dequantize(a.row(row).data(), a.n_cols / a.type->block_elems, wa.data());
    b.type->dequantize(b.row(row).data(), b.n_cols / b.type->block_elems, wb.data());
    for (size_t i = 0; i < wa.size(); ++i) {
      d.size += double(wa[i]) * wa[i];
      d.seen += (double(wa[i]) - wb[i]) * (double(wa[i]) - wb[i]);
    }
    try {
      d.explained += encoding_error(*b.type, wa, a.n_cols) + encoding_error(*a.type, wb, a.n_cols);
    } catch (const NotFinite&) {  // nothing explains those
    }
  }
  return d;
}

}  // namespace

BisectReport bisect(const Model& model, Ops& first, Ops& second, bool second_is_right,
                    std::span<const int32_t> ids, KvType kv_type, const Judge& judge) {
  BisectReport report;
  LockstepOps ops(first, second, [&](const LockstepStep& step) {
    ++report.n_operations;
    Judgement judgement = judge(step);
    if (!first_excess(step, judgement.allowed)) return;
    constexpr size_t kMostLater = 20;
    if (report.n_diverging++ == 0)
      report.first = describe(step, std::move(judgement), second_is_right, model.hparams());
    else if (report.later.size() < kMostLater)
      report.later.push_back(fmt::format("{} {}", op_name(step.call), full_name(step.name)));
  });
  run_session(model, ops, ids, kv_type);
  if (ops.failure()) std::rethrow_exception(ops.failure());
  return report;
}

BisectReport bisect_evaluators(const Model& model, Ops& first, Ops& second, bool second_is_right,
                               const Arithmetic& a, std::span<const int32_t> ids, KvType kv_type) {
  return bisect(
      model, first, second, second_is_right, ids, kv_type, [&](const LockstepStep& step) -> Judgement {
        if (a.u == 0)
          return {{step.first.n_rows, step.first.n_cols, std::vector<double>(step.first.x.size())}, {}};
        return {twice(bound_of(step, a)), {}};
      });
}

BisectReport bisect_files(const Model& a, const Model& b, ThreadPool& pool, std::span<const int32_t> ids,
                          KvType kv_type) {
  RecordParameters of_a, of_b;
  run_session(a, of_a, ids, kv_type);
  run_session(b, of_b, ids, kv_type);
  if (const std::string difference = first_difference(of_a.calls(), of_b.calls()); !difference.empty())
    throw UsageError("the files do not compute the same: " + difference);

  std::map<std::string, const Weight*> weights;
  for (const Weight& w : b.weights()) weights[w.name] = &w;
  std::map<const Weight*, WeightDifference> known;
  size_t n_equal = 0, n_explained = 0;
  const auto judge_weight = [&](const LockstepStep& step, const Weight& wa, double u) -> Judgement {
    Judgement j{twice(bound_of(step, {u, false})), {}};
    const Weight* const wb = weights.count(wa.name) ? weights[wa.name] : nullptr;
    if (!wb) return j;  // a tied output bound under another name
    const bool is_new = !known.count(&wa);
    WeightDifference& d = known[&wa];
    if (is_new) d = compare_weights(wa, *wb);
    const double seen = std::sqrt(d.seen / std::max(d.size, 1e-300)),
                 explained = std::sqrt(d.explained / std::max(d.size, 1e-300));
    if (d.seen == 0) {
      n_equal += is_new;
      return j;
    }
    if (seen <= 2 * explained) {
      n_explained += is_new;
      std::ranges::fill(j.allowed.x, INFINITY);
    }
    j.note = fmt::format(
        "{} ({} against {}): the weights differ by {:.3g} of their size, their types explain {:.3g}", wa.name,
        wa.type->name, wb->type->name, seen, explained);
    return j;
  };
  const std::unique_ptr<Ops> first = make_exact_ops(pool), exact = make_exact_ops(pool);
  OtherParametersOps second(*exact, of_b.calls());
  BisectReport report =
      bisect(a, *first, second, false, ids, kv_type, [&](const LockstepStep& step) -> Judgement {
        if (const auto* c = std::get_if<LinearCall>(&step.call))
          return judge_weight(step, *c->linear->weight, kF64Arithmetic.u);
        if (const auto* c = std::get_if<EmbedCall>(&step.call))
          return judge_weight(step, *c->table, kF64Arithmetic.u);
        return {twice(bound_of(step, kF64Arithmetic)), {}};
      });
  report.notes.push_back(
      fmt::format("weights of products: {} equal, {} differ by what their types explain, {} by more", n_equal,
                  n_explained, known.size() - n_equal - n_explained));
  return report;
}

BisectReport bisect_trace(const Model& model, const Dump& dump, ThreadPool& pool,
                          std::span<const int32_t> ids, KvType kv_type) {
  const std::unique_ptr<Ops> inner = make_exact_ops(pool), second = make_exact_ops(pool);
  std::map<std::string, size_t> n_with_kind;
  size_t n_used = 0;
  Arithmetic arithmetic = kF32Arithmetic;
  for (const DumpTensor& tensor : dump.tensors())
    arithmetic.dump_u = std::max(arithmetic.dump_u, unit_roundoff(tensor.type));
  TraceOps engine(*inner, [&](TraceRecord&& r) {
    const std::string kind = r.name + ":" + r.op;
    const size_t n = ++n_with_kind[kind];
    const DumpTensor* tensor = dump.find(fmt::format("{}:{}", kind, n));
    if (!tensor && n == 1) tensor = dump.find(kind);
    if (!tensor && n == 1) tensor = dump.find(r.name);
    if (!tensor || !r.place.memory) return;
    if (tensor->n_values != r.values.size())
      throw UsageError(fmt::format("{}: {} has shape {}, the model's is of {} numbers", dump.path(),
                                   printable(tensor->name), shape_text(tensor->shape), r.values.size()));
    tensor->read(0, std::span(r.values));
    inner->write(r.place, r.values.data());
    ++n_used;
  });
  BisectReport report =
      bisect(model, engine, *second, true, ids, kv_type, [&](const LockstepStep& step) -> Judgement {
        return {twice(bound_of(step, arithmetic)), {}};
      });
  if (engine.failure()) std::rethrow_exception(engine.failure());
  if (n_used == 0)
    throw UsageError(dump.path() + ": no name in it is one of the model's results (see: assay trace --json)");
  report.notes.push_back(fmt::format("{} of the dump's {} tensors were used", n_used, dump.tensors().size()));
  return report;
}

void save_divergence(const Divergence& d, std::span<const int32_t> ids, const std::filesystem::path& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) throw MachineError(dir.string() + ": " + error.message());
  std::vector<NamedTensor> tensors;
  const auto add = [&](const char* name, const Values& v) {
    if (!v.x.empty()) tensors.push_back({name, {v.n_rows, v.n_cols}, {v.x.begin(), v.x.end()}});
  };
  add("in", d.step.in);
  add("in2", d.step.in2);
  add("first", d.step.first);
  add("second", d.step.second);
  add("allowed", d.allowed);
  std::string id_list;
  for (const int32_t id : ids) id_list += (id_list.empty() ? "" : ",") + std::to_string(id);
  const std::pair<std::string, std::string> metadata[] = {
      {"op", d.op}, {"name", d.name}, {"weight", d.weight}, {"tokens", id_list}};
  write_safetensors(dir / "inputs.safetensors", tensors, metadata);
}

}  // namespace assay
