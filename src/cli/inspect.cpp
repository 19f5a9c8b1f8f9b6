// assay inspect: what a GGUF file holds.
#include <memory>
#include <optional>

#include "cli/command.h"
#include "cli/inspect_json.h"
#include "cli/inspect_text.h"
#include "cli/json_output.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string file, tensor, against;
  std::optional<uint64_t> block;
  bool json = false;
};

/// One tensor: its directory entry, then its block or its statistics and first block.
void inspect_tensor(const Options& o, const GgufFile& file) {
  const TensorInfo& tensor = need_tensor(file, o.tensor);
  std::optional<TensorStats> stats;
  if (!o.block) stats = measure_tensor(file, tensor);
  const BlockView view = view_block(file, tensor, o.block.value_or(0));
  if (o.json) {
    Json json{{"tensor", tensor_json(file, tensor)}};
    if (stats) json["stats"] = stats_json(*stats);
    json["block"] = block_json(tensor, view);
    return print_json(json);
  }
  print(tensor_text(file, tensor));
  if (stats) print(stats_text(*stats));
  print(block_text(tensor, view));
}

/// One tensor, or all, beside those of another file.
void inspect_against(const Options& o, const GgufFile& file, const GgufFile& other) {
  Json all = Json::array();
  const auto compare = [&](const TensorInfo& a, const TensorInfo& b) {
    const TensorDifference difference = compare_tensors(file, a, other, b);
    if (o.json) {
      Json json{{"tensor", tensor_json(file, a)}, {"against", tensor_json(other, b)}};
      json["difference"] = difference_json(difference);
      if (o.block) {
        json["block"] = block_json(a, view_block(file, a, *o.block));
        json["block_against"] = block_json(b, view_block(other, b, *o.block));
      }
      all.push_back(std::move(json));
      return;
    }
    print(tensor_text(file, a) + tensor_text(other, b) + difference_text(difference, a));
    if (o.block)
      print(block_text(a, view_block(file, a, *o.block)) + block_text(b, view_block(other, b, *o.block)));
  };
  const auto alone = [&](const TensorInfo& t, const GgufFile& holder) {
    if (o.json) {
      all.push_back({{"tensor", tensor_json(holder, t)}, {"only_in", holder.path()}});
    } else {
      print(tensor_text(holder, t) + "  only in " + printable(holder.path(), 1000) + "\n");
    }
  };
  if (!o.tensor.empty()) {
    compare(need_tensor(file, o.tensor), need_tensor(other, o.tensor));
  } else {
    for (const TensorInfo& a : file.tensors())
      if (const TensorInfo* b = other.find(a.name)) {
        compare(a, *b);
      } else {
        alone(a, file);
      }
    for (const TensorInfo& b : other.tensors())
      if (!file.find(b.name)) alone(b, other);
  }
  if (o.json) print_json(all);
}

ExitStatus run(const Options& o) {
  const GgufFile file = GgufFile::open(o.file);
  if (!o.against.empty()) {
    inspect_against(o, file, GgufFile::open(o.against));
  } else if (!o.tensor.empty()) {
    inspect_tensor(o, file);
  } else if (o.json) {
    print_json(file_json(file));
  } else {
    print(file_text(file));
  }
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option("FILE", o->file, "GGUF file")->required();
  CLI::Option* tensor =
      app.add_option("--tensor", o->tensor, "Show this tensor: statistics, histogram, first block")
          ->option_text("NAME");
  app.add_option("--block", o->block, "Show this block of the tensor, taken apart")
      ->needs(tensor)
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  app.add_option("--against", o->against, "Compare the tensor, or all, with those of this file")
      ->option_text("OTHER");
  app.add_flag("--json", o->json, "Print JSON");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_inspect{
    "inspect", "Show a file's metadata, tensors, types, and what single blocks hold",
    "Example: assay inspect model.gguf\n"
    "         assay inspect model.gguf --tensor blk.0.attn_q.weight --block 7\n"
    "         assay inspect model-q4.gguf --against model-f16.gguf --tensor output.weight",
    define};

}  // namespace assay::cli
