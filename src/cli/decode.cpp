// assay decode: the plain decoder of any type on raw blocks.
#include <memory>
#include <optional>
#include <vector>

#include "base/atomic_file.h"
#include "base/load_error.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/terminal.h"
#include "quant/table.h"

namespace assay::cli {
namespace {

struct Options {
  std::string type, input, output;
};

const QuantType& need_type(const std::string& name) {
  if (const QuantType* type = find_quant_type(name)) return *type;
  std::string known;
  for (const QuantType& type : quant_types()) (known += ' ') += type.name;
  throw UsageError("--type: \"" + printable(name) + "\" is not a type; there are" + known);
}

ExitStatus run(const Options& o) {
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

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option("--type", o->type, "Tensor type of the blocks, e.g. Q4_K")->required();
  app.add_option("BLOCKS", o->input, "File of whole blocks; - is standard input")->required();
  app.add_option("OUT", o->output, "File for the little-endian f32 weights; - is standard output")
      ->required();
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_decode{"decode", "Dequantize raw blocks of any type to f32",
                                    "Example: assay decode --type Q4_K blocks.bin weights.f32\n"
                                    "         head -c 144 blocks.bin | assay decode --type q4_k - - | od -f",
                                    define};

}  // namespace assay::cli
