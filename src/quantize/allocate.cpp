#include "quantize/allocate.h"

#include <algorithm>
#include <functional>

namespace assay {
namespace {

/// Going from one option of an item to the next on its hull.
struct Step {
  size_t item, option;
  uint64_t n_bytes;  // more
  double saved;
  double rate() const { return saved / double(n_bytes); }
};

/// Options of one item from the smallest to the least costly, each step saving less a byte than the one
/// before.
std::vector<size_t> hull(const std::vector<StorageOption>& options) {
  std::vector<size_t> order(options.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return options[a].n_bytes != options[b].n_bytes ? options[a].n_bytes < options[b].n_bytes
                                                    : options[a].cost < options[b].cost;
  });
  const auto rate = [&](size_t a, size_t b) {
    return (options[a].cost - options[b].cost) / double(options[b].n_bytes - options[a].n_bytes);
  };
  std::vector<size_t> kept;
  for (const size_t i : order) {
    if (!kept.empty() && !(options[i].cost < options[kept.back()].cost)) continue;
    if (!kept.empty() && options[i].n_bytes == options[kept.back()].n_bytes) continue;
    while (kept.size() >= 2 && rate(kept[kept.size() - 2], kept.back()) <= rate(kept.back(), i))
      kept.pop_back();
    kept.push_back(i);
  }
  return kept;
}

/// Takes steps, the best first, as long as `more(step)` wants them; a step left out ends its item's way.
std::vector<size_t> walk(std::span<const std::vector<StorageOption>> items, uint64_t& n_bytes, double& cost,
                         const std::function<bool(const Step&)>& more) {
  std::vector<size_t> chosen;
  std::vector<Step> steps;
  for (size_t item = 0; item < items.size(); ++item) {
    const std::vector<size_t> way = hull(items[item]);
    chosen.push_back(way.front());
    n_bytes += items[item][way.front()].n_bytes;
    cost += items[item][way.front()].cost;
    for (size_t k = 1; k < way.size(); ++k) {
      const StorageOption &from = items[item][way[k - 1]], &to = items[item][way[k]];
      steps.push_back({item, way[k], to.n_bytes - from.n_bytes, from.cost - to.cost});
    }
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const Step& a, const Step& b) { return a.rate() > b.rate(); });
  std::vector<bool> ended(items.size());
  for (const Step& step : steps) {
    if (ended[step.item]) continue;
    if (!more(step)) {
      ended[step.item] = true;
      continue;
    }
    chosen[step.item] = step.option;
    n_bytes += step.n_bytes;
    cost -= step.saved;
  }
  return chosen;
}

}  // namespace

std::vector<size_t> allocate_bytes(std::span<const std::vector<StorageOption>> items, uint64_t max_bytes) {
  uint64_t n_bytes = 0;
  double cost = 0;
  return walk(items, n_bytes, cost,
              [&](const Step& step) { return n_bytes <= max_bytes && step.n_bytes <= max_bytes - n_bytes; });
}

std::vector<size_t> allocate_cost(std::span<const std::vector<StorageOption>> items, double max_cost) {
  uint64_t n_bytes = 0;
  double cost = 0;
  return walk(items, n_bytes, cost, [&](const Step&) { return cost > max_cost; });
}

}  // namespace assay
