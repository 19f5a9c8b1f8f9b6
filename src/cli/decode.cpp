// assay decode: the plain decoder of any type, on raw blocks or on a tensor of a file.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "base/atomic_file.h"
#include "base/load_error.h"
#include "cli/inject.h"
#include "cli/input.h"
#include "cli/terminal.h"
#include "diagnose/dumps/npy_writer.h"
#include "diagnose/faults/held_weights.h"
#include "diagnose/inspect.h"
#include "model/model.h"
#include "quant/table.h"

namespace assay::cli {
namespace {

struct Options {
  std::string type, tensor, input, output;
  std::vector<std::string> inject;
};

const QuantType& need_type(const std::string& name) {
  if (const QuantType* type = find_quant_type(name)) return *type;
  std::string known;
  for (const QuantType& type : quant_types()) (known += ' ') += type.name;
  throw UsageError("--type: \"" + printable(name) + "\" is not a type; there are" + known);
}

ExitStatus decode_blocks(const Options& o) {
  constexpr size_t kBlocksAtOnce = 4096;
  const QuantType& type = need_type(o.type);
  InputFile input(o.input);
  std::optional<AtomicFile> file;
  if (o.output != "-") file.emplace(o.output);
  std::vector<std::byte> blocks(kBlocksAtOnce * type.block_bytes);
  std::vector<float> weights(kBlocksAtOnce * type.block_elems);
  uint64_t n_bytes = 0;
  for (size_t n_read = blocks.size(); n_read == blocks.size();) {
    n_read = input.read(blocks);
    n_bytes += n_read;
    const size_t n_blocks = n_read / type.block_bytes;
    if (n_read % type.block_bytes != 0)
      throw Truncated({input.name(), "block " + std::to_string(n_bytes / type.block_bytes),
                       n_bytes / type.block_bytes * type.block_bytes},
                      "has " + std::to_string(n_read % type.block_bytes) + " bytes, a " +
                          std::string(type.name) + " block has " + std::to_string(type.block_bytes));
    type.dequantize(blocks.data(), n_blocks, weights.data());
    const std::span<const std::byte> out =
        std::as_bytes(std::span(weights).first(n_blocks * type.block_elems));
    if (file) {
      file->write(out);
    } else {
      print(out);
    }
  }
  if (n_bytes == 0) throw UsageError(input.name() + ": is empty");
  if (file) file->commit();
  return kDone;
}

ExitStatus decode_tensor(const Options& o) {
  if (o.input == "-" || o.output == "-") throw UsageError("--tensor: give file names");
  const GgufFile file = GgufFile::open(o.input);
  const TensorInfo& info = need_tensor(file, o.tensor);
  // Faults of heads need hyperparameters, which only files that Assay can run have.
  std::unique_ptr<const Model> model;
  if (!o.inject.empty()) try {
      model = std::make_unique<Model>(GgufFile::open(o.input));
    } catch (const LoadError& error) {
      notice(fmt::format("no faults of heads: {}", error.what()));
    }
  const StoredTensor stored{file, info, model ? &model->hparams() : nullptr};
  const std::vector<const Fault*> faults = need_faults(o.inject);
  const HeldWeights held = hold_weights(stored, faults);
  if (held.faults.size() < faults.size()) fail_untouched(o.inject, o.tensor);
  const std::vector<float> values = held.values(stored);
  AtomicFile out(o.output);
  if (o.output.ends_with(".npy")) {
    std::vector<uint64_t> shape(info.dims, info.dims + info.n_dims);
    std::ranges::reverse(shape);
    const std::string header = npy_header(shape);
    out.write(std::as_bytes(std::span(header)));
  }
  out.write(std::as_bytes(std::span(values)));
  out.commit();
  return kDone;
}

ExitStatus run(const Options& o) {
  if (o.type.empty() == o.tensor.empty()) throw UsageError("give one of --type and --tensor");
  if (!o.tensor.empty()) return decode_tensor(o);
  if (!o.inject.empty()) throw UsageError("--inject needs --tensor");
  return decode_blocks(o);
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option("--type", o->type, "Tensor type of the blocks, e.g. Q4_K");
  app.add_option("--tensor", o->tensor, "Instead: which tensor of the GGUF file");
  app.add_option("BLOCKS", o->input, "File of whole blocks (- is standard input), or the GGUF file")
      ->required();
  app.add_option(
         "OUT", o->output,
         "File for the little-endian f32 weights (- is standard output); a tensor's has a header where the "
         "name ends in .npy")
      ->required();
  add_inject_option(app, o->inject, "The tensor as an engine with these faults would hold it");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_decode{"decode", "Dequantize raw blocks of any type, or a tensor, to f32",
                                    "Example: assay decode --type Q4_K blocks.bin weights.f32\n"
                                    "         head -c 144 blocks.bin | assay decode --type q4_k - - | od -f\n"
                                    "         assay decode model.gguf --tensor blk.0.attn_q.weight q.npy",
                                    define};

}  // namespace assay::cli
