// Writes small GGUF files for the fuzzer to start from: gguf_seeds FOLDER
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "gguf/raw_gguf.h"
#include "gguf/writer.h"

namespace assay {
namespace {

class Seeds {
 public:
  explicit Seeds(std::string folder) : folder_(std::move(folder)) {}
  void save(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ + "/" + name + ".gguf", std::ios::binary) << bytes;
  }
  void save(const std::string& name, const GgufWriter& writer) const {
    const auto bytes = writer.to_bytes();
    save(name, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  void save(const std::string& name, const RawGguf& file) const {
    std::map<std::string, uint64_t> offsets;
    save(name, file.bytes(offsets));
  }

 private:
  std::string folder_;
};

GgufWriter every_value() {
  GgufWriter writer;
  writer.add("u8", uint8_t(8));
  writer.add("i8", int8_t(-8));
  writer.add("u16", uint16_t(16));
  writer.add("i16", int16_t(-16));
  writer.add("u32", uint32_t(32));
  writer.add("i32", int32_t(-32));
  writer.add("u64", uint64_t(64));
  writer.add("i64", int64_t(-64));
  writer.add("f32", 0.5f);
  writer.add("f64", 0.25);
  writer.add("bool", true);
  writer.add("string", "text");
  writer.add_array("u8s", std::vector<uint8_t>{1, 2});
  writer.add_array("i64s", std::vector<int64_t>{-1, 2});
  writer.add_array("f32s", std::vector<float>{1, 2});
  writer.add_array("bools", std::vector<bool>{true, false});
  writer.add_array("strings", std::vector<std::string>{"", "a", "bc"});
  return writer;
}

GgufWriter vocabulary() {
  GgufWriter writer;
  writer.add("general.architecture", "llama");
  writer.add("tokenizer.ggml.model", "llama");
  writer.add_array("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "<s>", "</s>", "<0x0A>", "a"});
  writer.add_array("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, 0, -1});
  writer.add_array("tokenizer.ggml.token_type", std::vector<int32_t>{2, 3, 3, 6, 1});
  writer.add("tokenizer.ggml.bos_token_id", uint32_t(1));
  return writer;
}

void save_all(const Seeds& seeds) {
  seeds.save("empty", GgufWriter());
  seeds.save("every-value", every_value());
  seeds.save("vocabulary", vocabulary());
  for (const QuantType& type : quant_types()) {
    const std::vector<std::byte> block(type.block_bytes, std::byte{0x3c});
    const uint64_t dims[] = {type.block_elems};
    GgufWriter writer;
    writer.add("general.alignment", uint32_t(8));
    writer.add_tensor("w", type, dims, block);
    seeds.save("type-" + std::string(type.name), writer);
  }
  RawGguf file = small_gguf();
  seeds.save("small-v3", file);
  file.version = 2;
  seeds.save("small-v2", file);
  file.version = 1;
  seeds.save("small-v1", file);
  file = small_gguf();
  file.tensors[1].type = 4;
  seeds.save("removed-type", file);
  file = small_gguf();
  file.tensors[1].offset = 0;
  seeds.save("overlap", file);
  file = small_gguf();
  file.pairs.push_back(file.pairs[2]);
  seeds.save("key-twice", file);
  file = small_gguf();
  file.pair("split.count") = {"split.count", 2, raw(uint16_t(2))};
  seeds.save("split", file);
  file = small_gguf();
  file.tensors.push_back({"d.weight", {2, 1, 2, 1}, 30, 160});
  file.tensors.push_back({"e", {}, 0, 192});
  file.data_bytes = 196;
  seeds.save("dims-4-and-0", file);
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: gguf_seeds FOLDER\n";
    return 2;
  }
  assay::save_all(assay::Seeds(argv[1]));
}
