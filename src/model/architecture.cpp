#include "model/architecture.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace assay {

#define ARCHITECTURE(name) extern const Architecture arch_##name;
#include "model/arch/architectures.inc"
#undef ARCHITECTURE

namespace {

constexpr std::array kArchitectures = {
#define ARCHITECTURE(name) &arch_##name,
#include "model/arch/architectures.inc"
#undef ARCHITECTURE
};

std::string shape(const TensorInfo& t) {
  std::string text = "(";
  for (size_t d = t.n_dims; d-- > 0;) text += std::to_string(t.dims[d]) + (d == 0 ? ")" : ", ");
  return text;
}

}  // namespace

const Architecture* find_architecture(std::string_view name) {
  for (const Architecture* a : kArchitectures)
    if (a->name == name) return a;
  return nullptr;
}

std::vector<std::string_view> architecture_names() {
  std::vector<std::string_view> names;
  for (const Architecture* a : kArchitectures) names.push_back(a->name);
  return names;
}

void TensorBinder::enter_layer(size_t layer) {
  prefix_ = fmt::format("blk.{}.", layer);
}

const TensorInfo* TensorBinder::take(const std::string& name) {
  const TensorInfo* tensor = model_.file_.find(name);
  if (tensor) bound_[size_t(tensor - model_.file_.tensors().data())] = true;
  return tensor;
}

bool TensorBinder::has(std::string_view name) const {
  return model_.file_.find(prefix_ + std::string(name) + ".weight") != nullptr;
}

void TensorBinder::refuse(std::string_view name, const std::string& why) const {
  if (const TensorInfo* tensor = model_.file_.find(prefix_ + std::string(name) + ".weight"))
    throw Unsupported(model_.file_.place(*tensor), why);
}

const Weight* TensorBinder::weight(const std::string& name, size_t n_experts, size_t n_rows, size_t n_cols) {
  const GgufFile& file = model_.file_;
  const TensorInfo* tensor = take(name);
  if (!tensor) throw Missing(file.metadata().place(name), "the file has no such tensor");
  const bool fits = tensor->dims[0] == n_cols && tensor->dims[1] == n_rows && tensor->dims[2] == n_experts &&
                    tensor->dims[3] == 1;
  if (!fits) {
    const std::string experts = n_experts == 1 ? "" : fmt::format("{}, ", n_experts);
    throw ShapeMismatch(file.place(*tensor), fmt::format("is {}, the model needs ({}{}, {})", shape(*tensor),
                                                         experts, n_rows, n_cols));
  }
  return &model_.weights_.emplace_back(Weight{name, tensor->type, n_rows, n_cols, n_experts,
                                              file.data(*tensor), uint32_t(model_.weights_.size())});
}

std::vector<float> TensorBinder::values(const TensorInfo& tensor) {
  std::vector<float> values(tensor.n_elements);
  tensor.type->dequantize(model_.file_.data(tensor).data(), tensor.n_elements / tensor.type->block_elems,
                          values.data());
  for (const float v : values)
    if (!std::isfinite(v)) throw BadValue(model_.file_.place(tensor), "holds a value that is not finite");
  return values;
}

std::vector<float> TensorBinder::find_vector(std::string_view full_name, size_t n_values) {
  const TensorInfo* tensor = take(std::string(full_name));
  if (!tensor) return {};
  if (tensor->n_elements != n_values)
    throw ShapeMismatch(model_.file_.place(*tensor),
                        fmt::format("is {}, the model needs {} values", shape(*tensor), n_values));
  return values(*tensor);
}

Linear TensorBinder::experts(std::string_view name, size_t n_experts, size_t n_rows, size_t n_cols) {
  const std::string base = prefix_ + std::string(name);
  Linear linear;
  linear.weight = weight(base + ".weight", n_experts, n_rows, n_cols);
  linear.bias = find_vector(base + ".bias", n_experts * n_rows);
  if (const TensorInfo* scale = model_.file_.find(base + ".scale"))
    linear.scale = find_vector(base + ".scale", scale->n_elements == 1 ? 1 : n_experts);
  return linear;
}

Linear TensorBinder::linear(std::string_view name, size_t n_rows, size_t n_cols) {
  return experts(name, 1, n_rows, n_cols);
}

Linear TensorBinder::find_linear(std::string_view name, size_t n_rows, size_t n_cols) {
  return has(name) ? linear(name, n_rows, n_cols) : Linear{};
}

Norm TensorBinder::norm(std::string_view name, size_t n_cols, size_t group) {
  const std::string base = prefix_ + std::string(name);
  const Hparams& h = model_.hparams_;
  Norm norm{h.norm_kind, group == 0 ? n_cols : group, {}, {}, h.norm_epsilon};
  const TensorInfo* tensor = model_.file_.find(base + ".weight");
  if (!tensor) throw Missing(model_.file_.metadata().place(base + ".weight"), "the file has no such tensor");
  const size_t n_values = tensor->n_elements == norm.group ? norm.group : n_cols;
  norm.weight = find_vector(base + ".weight", n_values);
  norm.bias = find_vector(base + ".bias", n_values);
  return norm;
}

Norm TensorBinder::find_norm(std::string_view name, size_t n_cols, size_t group) {
  return has(name) ? norm(name, n_cols, group) : Norm{};
}

const Weight* TensorBinder::table(std::string_view name, size_t n_rows, size_t n_cols) {
  return weight(prefix_ + std::string(name) + ".weight", 1, n_rows, n_cols);
}

void TensorBinder::ignore(std::string_view full_name) {
  take(std::string(full_name));
}

std::vector<std::string> TensorBinder::unbound() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < bound_.size(); ++i)
    if (!bound_[i]) names.emplace_back(model_.file_.tensors()[i].name);
  return names;
}

}  // namespace assay
