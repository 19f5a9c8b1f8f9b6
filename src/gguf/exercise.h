// For tests and fuzzing: everything that a reader of files can be asked about one file, with its answers
// checked.
#pragma once
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "gguf/writer.h"

namespace assay {

/// A file with the same metadata and tensors, written anew.
inline std::vector<std::byte> rewritten(const GgufFile& file) {
  GgufWriter writer;
  for (const Metadata::Pair& pair : file.metadata().pairs()) writer.add(pair.key, pair.value);
  for (const TensorInfo& tensor : file.tensors())
    writer.add_tensor(tensor.name, *tensor.type, std::span(tensor.dims, tensor.n_dims), file.data(tensor));
  return writer.to_bytes();
}

/// Calls every getter on every key: a LoadError must name the key, anything else is passed on.
inline void ask_all(const Metadata& metadata) {
  const auto ask = [&](std::string_view key, auto getter) {
    try {
      (metadata.*getter)(key);
    } catch (const LoadError& error) {
      if (error.place.item != printable(key)) throw std::logic_error("an error about another key");
    }
  };
  for (const Metadata::Pair& pair : metadata.pairs()) {
    if (metadata.find(pair.key) != &pair.value) throw std::logic_error("a key is not found");
    ask(pair.key, &Metadata::find_uint);
    ask(pair.key, &Metadata::find_int);
    ask(pair.key, &Metadata::find_float);
    ask(pair.key, &Metadata::find_bool);
    ask(pair.key, &Metadata::find_string);
    ask(pair.key, &Metadata::find_array);
    ask(pair.key, &Metadata::find_strings);
    ask(pair.key, &Metadata::find_ints);
    ask(pair.key, &Metadata::find_floats);
  }
}

inline bool same_content(const GgufFile& a, const GgufFile& b) {
  if (a.metadata().pairs().size() != b.metadata().pairs().size() || a.tensors().size() != b.tensors().size())
    return false;
  for (size_t i = 0; i < a.metadata().pairs().size(); ++i)
    if (a.metadata().pairs()[i].key != b.metadata().pairs()[i].key) return false;
  for (const TensorInfo& tensor : a.tensors()) {
    const TensorInfo* copy = b.find(tensor.name);
    if (copy == nullptr || copy->type != tensor.type || copy->n_elements != tensor.n_elements) return false;
    const auto bytes = a.data(tensor), copied = b.data(*copy);
    if (!std::equal(bytes.begin(), bytes.end(), copied.begin(), copied.end())) return false;
  }
  return true;
}

/// Reads `bytes` as a file, and all that is in it. The message of the LoadError when it is refused, "" when
/// it loads. What loads must survive being written and read again; std::logic_error when it does not.
inline std::string load_and_exercise(std::span<const std::byte> bytes) {
  std::vector<std::byte> copy, copy_of_copy;
  try {
    const GgufFile file = GgufFile::parse(bytes, "file.gguf");
    ask_all(file.metadata());
    copy = rewritten(file);  // reads every byte of every tensor
    const GgufFile again = GgufFile::parse(copy, "copy.gguf");
    if (!same_content(file, again)) throw std::logic_error("a rewritten file holds something else");
    copy_of_copy = rewritten(again);
  } catch (const LoadError& error) {
    if (error.place.file != "file.gguf")
      throw std::logic_error(std::string("cannot be rewritten: ") + error.what());
    return error.what();
  }
  // Bytes of the first copy may differ from the file's: gaps close, signalling NaNs become quiet. Then they
  // are stable.
  if (copy != copy_of_copy) throw std::logic_error("rewriting a rewritten file changes it");
  return "";
}

}  // namespace assay
