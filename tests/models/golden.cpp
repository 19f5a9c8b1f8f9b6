#include "golden.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "cpu/ops_cpu.h"
#include "exact/ops_exact.h"
#include "twin/ops_twin.h"

namespace assay::golden {
namespace fs = std::filesystem;

Rows Rows::rows(size_t begin, size_t count) const {
  return {n_cols, std::vector<float>(values.begin() + long(begin * n_cols),
                                     values.begin() + long((begin + count) * n_cols))};
}

const std::vector<Evaluator>& evaluators() {
  static const std::vector<Evaluator> all = {
      {"exact", make_exact_ops},
      {"twin", make_twin_ops, true},
      {"cpu", [](ThreadPool& pool) { return make_cpu_ops(pool); }, true},
  };
  return all;
}

std::optional<fs::path> find_model(const std::string& name) {
  const char* elsewhere = std::getenv("ASSAY_GOLDEN_DIR");
  const fs::path source = ASSAY_SOURCE_DIR;
  for (const fs::path& root :
       {elsewhere ? fs::path(elsewhere) : source / "../shared/golden", source / "tests/golden"})
    if (fs::exists(root / "models" / name / "golden.json")) return root / "models" / name;
  return std::nullopt;
}

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<float> read_floats(const fs::path& path) {
  const std::string bytes = read_text(path);
  if (bytes.size() % sizeof(float) != 0) throw std::runtime_error(path.string() + " is not whole floats");
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

Evaluation::Evaluation(const fs::path& gguf, const Evaluator& evaluator, size_t n_ctx, TraceSink sink)
    : model_(GgufFile::open(gguf), n_ctx), evaluator_(evaluator.make(pool_)) {
  evaluator_->load(model_.product_weights(), [](uint64_t, uint64_t) {});
  if (sink) trace_ = std::make_unique<TraceOps>(*evaluator_, std::move(sink));
}

Rows Evaluation::logits(std::span<const int32_t> ids, size_t n_batch) {
  if (n_batch == 0) n_batch = ids.size();
  const Hparams& h = model_.hparams();
  Ops& ops = trace_ ? *trace_ : *evaluator_;
  const std::unique_ptr<Workspace> a = model_.allocate(ops, n_batch, n_batch);
  const std::unique_ptr<KvCache> cache =
      ops.make_kv_cache({h.n_layers, h.n_kv_heads, h.head_dim, ids.size(), KvType::f32});
  Rows out{h.vocab_size, std::vector<float>(ids.size() * h.vocab_size)};
  for (size_t begin = 0; begin < ids.size(); begin += n_batch) {
    const size_t n = std::min(n_batch, ids.size() - begin);
    std::vector<int32_t> positions(n);
    std::vector<KvCache*> caches(n, cache.get());
    for (size_t i = 0; i < n; ++i) positions[i] = int32_t(begin + i);
    model_.run(ops, {ids.subspan(begin, n), positions, caches}, *a);
    ops.read(model_.logits(ops, *a, 0, n), out.values.data() + begin * h.vocab_size);
  }
  return out;
}

namespace {

std::vector<double> soft_max(std::span<const float> x) {
  const double top = *std::max_element(x.begin(), x.end());
  std::vector<double> p(x.size());
  double total = 0;
  for (size_t i = 0; i < x.size(); ++i) total += p[i] = std::exp(double(x[i]) - top);
  for (double& v : p) v /= total;
  return p;
}

}  // namespace

Difference compare(const Rows& reference, const Rows& ours) {
  if (reference.n_cols != ours.n_cols || reference.values.size() != ours.values.size())
    throw std::runtime_error("logits of different shapes");
  Difference d;
  double squares = 0;
  for (size_t i = 0; i < ours.values.size(); ++i) {
    const double difference = std::fabs(double(ours.values[i]) - double(reference.values[i]));
    if (!(difference <= d.max)) d.max = difference;  // NaN too
    squares += difference * difference;
  }
  d.rms = std::sqrt(squares / double(ours.values.size()));
  for (size_t i = 0; i < ours.n_rows(); ++i) {
    const std::vector<double> p = soft_max(reference.row(i)), q = soft_max(ours.row(i));
    for (size_t j = 0; j < p.size(); ++j)
      if (p[j] > 0) d.mean_kl += p[j] * std::log(p[j] / q[j]) / double(ours.n_rows());
  }
  return d;
}

std::vector<size_t> wrong_tops(const Rows& reference, const Rows& ours, double margin) {
  std::vector<size_t> wrong;
  for (size_t i = 0; i < ours.n_rows(); ++i) {
    const std::span<const float> r = reference.row(i), o = ours.row(i);
    const long top = std::max_element(r.begin(), r.end()) - r.begin();
    float second = -INFINITY;
    for (long j = 0; j < long(r.size()); ++j)
      if (j != top) second = std::max(second, r[size_t(j)]);
    if (double(r[size_t(top)]) - second > margin && std::max_element(o.begin(), o.end()) - o.begin() != top)
      wrong.push_back(i);
  }
  return wrong;
}

}  // namespace assay::golden
