#include "cli/inspect_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

namespace assay::cli {
namespace {

constexpr size_t kItemsShown = 8;

std::string value_text(const Value& value);

std::string array_text(const Array& array) {
  const auto element = GgufType(array.element_type);
  std::string text = fmt::format("{} x {}:", array.n_elements, gguf_type_name(element));
  const uint64_t n_shown = std::min<uint64_t>(array.n_elements, kItemsShown);
  for (uint64_t i = 0; i < n_shown; ++i) {
    text += i == 0 ? " " : ", ";
    if (element == GgufType::string) {
      text += '"' + printable(array.strings[i], 24) + '"';
    } else if (element == GgufType::array) {
      text += fmt::format("[{} items]", array.arrays[i].n_elements);
    } else {
      text += value_text(number_at(array, i));
    }
  }
  return text + (n_shown < array.n_elements ? ", ..." : "");
}

std::string value_text(const Value& value) {
  if (const auto* array = std::get_if<Array>(&value.data)) return array_text(*array);
  if (const auto* number = std::get_if<uint64_t>(&value.data)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<int64_t>(&value.data)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<double>(&value.data))
    return value.type == GgufType::f32 ? fmt::format("{}", float(*number)) : fmt::format("{}", *number);
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag ? "true" : "false";
  return '"' + printable(std::get<std::string_view>(value.data), 72) + '"';
}

struct Sum {
  uint64_t n_tensors = 0, n_weights = 0, n_bytes = 0;
};

template <class Item>
std::string list(std::string_view label, const Item* items, size_t n) {
  std::string text = fmt::format("  {:<7}", label);
  for (size_t i = 0; i < n; ++i) text += fmt::format(" {:>3}", items[i]);
  return text + "\n";
}

}  // namespace

std::string bytes_text(uint64_t n_bytes) {
  if (n_bytes < 10240) return fmt::format("{} bytes", n_bytes);
  if (n_bytes < uint64_t(10240) << 10) return fmt::format("{:.1f} KiB", double(n_bytes) / 0x1p10);
  return fmt::format("{:.1f} MiB", double(n_bytes) / 0x1p20);
}

std::string file_text(const GgufFile& file) {
  std::string text = fmt::format("{}: GGUF version {}, {}, alignment {}", printable(file.path(), 1000),
                                 file.version(), bytes_text(file.n_bytes()), file.alignment());
  if (file.n_parts() > 1) text += fmt::format(", {} parts", file.n_parts());
  const auto out = std::back_inserter(text);

  fmt::format_to(out, "\n\nmetadata, {} keys\n", file.metadata().pairs().size());
  size_t width = 0;
  for (const Metadata::Pair& pair : file.metadata().pairs())
    width = std::max(width, printable(pair.key, 60).size());
  for (const Metadata::Pair& pair : file.metadata().pairs())
    fmt::format_to(out, "  {:<{}}  {}\n", printable(pair.key, 60), width, value_text(pair.value));

  fmt::format_to(out, "\ntensors, {}\n", file.tensors().size());
  std::map<std::string_view, Sum> types;
  Sum all;
  for (const TensorInfo& tensor : file.tensors()) {
    text += "  " + tensor_text(file, tensor);
    for (Sum* sum : {&types[tensor.type->name], &all}) {
      ++sum->n_tensors;
      sum->n_weights += tensor.n_elements;
      sum->n_bytes += tensor.n_bytes;
    }
  }
  if (all.n_tensors == 0) return text;
  text += "\ntypes\n";
  const auto line = [&](std::string_view name, const Sum& sum) {
    fmt::format_to(out, "  {:<8} {:>5} tensors {:>14} weights {:>12}  {:.3f} bits a weight\n", name,
                   sum.n_tensors, sum.n_weights, bytes_text(sum.n_bytes),
                   8.0 * double(sum.n_bytes) / double(sum.n_weights));
  };
  for (const auto& [name, sum] : types) line(name, sum);
  line("all", all);
  return text;
}

std::string tensor_text(const GgufFile& file, const TensorInfo& tensor) {
  std::string text =
      fmt::format("{:<28} {:<8} {:<18} {:>12}  at byte {}", printable(tensor.name), tensor.type->name,
                  shape_text(tensor), bytes_text(tensor.n_bytes), tensor.file_offset);
  if (file.n_parts() > 1) text += " of " + printable(file.path(tensor.part), 1000);
  return text + "\n";
}

std::string stats_text(const TensorStats& s) {
  std::string text = fmt::format("  values  {}, of them {} zero, {} NaN, {} infinite\n", s.n_values, s.n_zero,
                                 s.n_nan, s.n_inf);
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "  min {:.6g}  max {:.6g}  mean {:.6g}  standard deviation {:.6g}\n", s.min, s.max,
                 s.mean, s.std);
  const uint64_t highest = *std::max_element(s.histogram.begin(), s.histogram.end());
  if (highest == 0) return text;
  constexpr size_t kBarWidth = 50;
  for (size_t bin = 0; bin < TensorStats::kBins; ++bin) {
    const auto bar = size_t(std::lround(double(s.histogram[bin]) / double(highest) * kBarWidth));
    fmt::format_to(out, "  {:>12.4g} {:>12} {}\n", s.bin_begin(bin), s.histogram[bin], std::string(bar, '#'));
  }
  return text;
}

std::string block_text(const TensorInfo& tensor, const BlockView& view) {
  const QuantType& type = *tensor.type;
  std::string text =
      fmt::format("  block {}: row {}, columns {} to {}, {} bytes at byte {}\n", view.index, view.row,
                  view.col, view.col + type.block_elems - 1, view.bytes.size(), view.file_offset);
  const auto out = std::back_inserter(text);
  if (view.integers) {
    const IntegerBlock& b = *view.integers;
    const size_t n_subs = type.block_elems / type.sub_elems;
    fmt::format_to(out, "  w = d * scale * q{}, {} values a scale\n", type.has_mins ? " - dmin * min" : "",
                   type.sub_elems);
    fmt::format_to(out, "  d       {:.9g}\n", b.d);
    if (type.has_mins) fmt::format_to(out, "  dmin    {:.9g}\n", b.dmin);
    text += list("scale", b.scale, n_subs);
    if (type.has_mins) text += list("min", b.min, n_subs);
    for (size_t i = 0; i < type.block_elems; i += 16) text += list(i == 0 ? "q" : "", b.q + i, 16);
  }
  for (size_t i = 0; i < view.values.size(); i += 8) {
    text += i == 0 ? "  values " : "         ";
    for (size_t j = i; j < std::min(i + 8, view.values.size()); ++j)
      fmt::format_to(out, " {:>12.5g}", view.values[j]);
    text += "\n";
  }
  return text;
}

std::string difference_text(const TensorDifference& d, const TensorInfo& tensor) {
  std::string text = fmt::format("  equal {:.4f} %  cosine {:.6f}  relative RMS {:.6g}  norm ratio {:.6f}",
                                 100.0 * double(d.n_equal) / double(std::max<uint64_t>(d.n_values, 1)),
                                 d.cosine, d.relative_rms, d.norm_ratio);
  if (d.max_abs > 0)
    text += fmt::format("  max {:.6g} at row {}, column {}", d.max_abs, d.worst / tensor.n_cols(),
                        d.worst % tensor.n_cols());
  if (d.n_not_finite > 0) text += fmt::format("  {} not finite", d.n_not_finite);
  return text + "\n";
}

}  // namespace assay::cli
