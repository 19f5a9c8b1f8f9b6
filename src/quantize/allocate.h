// Bits where they matter: one option an item, so that the whole is small and costs little.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace assay {

/// One way to store an item.
struct StorageOption {
  uint64_t n_bytes = 0;
  double cost = 0;  // finite; added up over items
};

/// The index of the option of each item. Every item has at least one option, in any order.
/// Spends bytes where they save most cost each, along each item's lower convex hull: no other choice of the
/// same size costs less by more than one step of one item.
std::vector<size_t> allocate_bytes(std::span<const std::vector<StorageOption>> items, uint64_t max_bytes);
/// The same walk, up to the first point whose cost is at most max_cost, or its end.
std::vector<size_t> allocate_cost(std::span<const std::vector<StorageOption>> items, double max_cost);

}  // namespace assay
