// What makes an architecture: how its file is read and the list of operations of one layer. One file each in
// arch/.
#pragma once
#include <string_view>

#include "model/model.h"

namespace assay {

/// Hands out a model's tensors by name and counts them. Shapes are (rows, cols) = (outputs, inputs); a tensor
/// that is absent or of another shape is a LoadError naming it, its place, and what was expected and found.
class TensorBinder {
 public:
  TensorBinder(Model& model) : model_(model), bound_(model.file_.tensors().size()) {}

  /// From here on names are "blk.LAYER.NAME".
  void enter_layer(size_t layer);

  bool has(std::string_view name) const;  // NAME.weight exists
  /// Throws Unsupported when NAME.weight exists.
  void refuse(std::string_view name, const std::string& why) const;
  /// NAME.weight with NAME.bias and NAME.scale when the file has them.
  Linear linear(std::string_view name, size_t n_rows, size_t n_cols);
  Linear find_linear(std::string_view name, size_t n_rows, size_t n_cols);  // absent is allowed
  Linear experts(std::string_view name, size_t n_experts, size_t n_rows, size_t n_cols);
  /// NAME.weight (and .bias) of n_cols values; each run of `group` columns is normalised alone (0: n_cols).
  /// The weight may have `group` values, shared by all groups, or n_cols.
  Norm norm(std::string_view name, size_t n_cols, size_t group = 0);
  Norm find_norm(std::string_view name, size_t n_cols, size_t group = 0);
  const Weight* table(std::string_view name, size_t n_rows, size_t n_cols);
  /// A small vector of f32; empty when absent.
  std::vector<float> find_vector(std::string_view full_name, size_t n_values);
  /// Counts a tensor as known although no computation uses it.
  void ignore(std::string_view full_name);

  std::vector<std::string> unbound() const;

 private:
  const TensorInfo* take(const std::string& name);
  const Weight* weight(const std::string& name, size_t n_experts, size_t n_rows, size_t n_cols);
  std::vector<float> values(const TensorInfo& tensor);

  Model& model_;
  std::string prefix_;
  std::vector<bool> bound_;
};

struct Architecture {
  std::string_view name;  // general.architecture
  /// Reads and checks the keys. Most start from read_common_hparams and change a few fields.
  Hparams (*read_hparams)(HparamReader& reader);
  /// Binds layer number `layer`. Norms take kind and epsilon from h.
  Layer (*bind_layer)(TensorBinder& file, const Hparams& h, size_t layer);
  /// Updates the residual stream a.x by one layer.
  void (*run_layer)(Ops& ops, const Layer& w, int layer, const Batch& batch, Workspace& a) noexcept;
};

/// Null when there is none of that name.
const Architecture* find_architecture(std::string_view name);
/// All names, for messages.
std::vector<std::string_view> architecture_names();

}  // namespace assay
