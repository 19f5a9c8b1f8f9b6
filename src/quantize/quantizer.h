// Quantizing a model file: tensor by tensor, some rows at a time.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "gguf/gguf.h"
#include "quant/encode/encode.h"
#include "quantize/imatrix_file.h"
#include "quantize/mix.h"

namespace assay {

/// One tensor on its way from file to file.
struct TensorPlan {
  std::string name;
  const QuantType* from = nullptr;
  TypeChoice to;
  uint64_t n_elements = 0, bytes_before = 0, bytes_after = 0;
  bool has_importance = false;  // the importance matrix has its columns
  /// Set by quantize_file where the type changed: sqrt(sum w (x - y)^2 / sum w x^2), w the importance or 1,
  /// over an eighth of the rows, spread over the tensor.
  std::optional<double> relative_error;
};

/// What quantize_file would do, a tensor each in the file's order. `choices` as choose_types gives them;
/// `imatrix` may be null. Throws UsageError when the importance of a tensor has another shape.
std::vector<TensorPlan> plan_tensors(const GgufFile& in, std::span<const TypeChoice> choices,
                                     const Imatrix* imatrix);

struct QuantizeProgress {
  uint64_t elements_done = 0, elements = 0;
  std::string_view tensor;
};

struct QuantizeOptions {
  uint32_t file_type = 0;  // Mix::file_type
  const Imatrix* imatrix = nullptr;
  std::string imatrix_path;  // recorded in the file
  Effort effort = Effort::normal;
  bool allow_requantize = false;  // from types that have lost precision already
  bool keep_split = false;        // one output a part of the input
  /// Called from the calling thread after each two million weights, and each tensor; false stops the work.
  std::function<bool(const QuantizeProgress&)> progress;
};

/// Thrown when `progress` returned false; nothing is left behind.
struct Stopped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct QuantizeResult {
  std::vector<TensorPlan> tensors;
  std::vector<std::filesystem::path> files;
};

/// Writes `in` to `out` with each tensor in its chosen type; tensors and metadata keep their order. Sets
/// general.file_type, general.quantization_version and, with an importance matrix, quantize.imatrix.*, as
/// llama.cpp does. With keep_split and an input in parts, `out` ("x.gguf", "x" or "x-00001-of-0000N.gguf")
/// names the parts. The bytes written depend on the input and the options alone, not on the number of
/// threads. Memory: some MB a thread, whatever the model's size. `out` appears when it is complete. Throws
/// UsageError (a type that needs an importance matrix without one, requantizing without leave, `out` is part
/// of `in`), BadValue naming tensor and position of a NaN or infinity, Truncated when the input became
/// shorter, MachineError, Stopped.
QuantizeResult quantize_file(const GgufFile& in, const std::filesystem::path& out,
                             std::span<const TypeChoice> choices, const QuantizeOptions& options,
                             ThreadPool& pool);

}  // namespace assay
