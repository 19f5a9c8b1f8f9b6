#include "cli/input.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/load_error.h"

namespace assay::cli {
namespace {

[[noreturn]] void fail(const std::string& name, const char* doing, int error) {
  const std::string message = name + ": cannot " + doing + ": " + std::strerror(error);
  if (error == ENOENT || error == ENOTDIR || error == EISDIR) throw UsageError(message);
  throw MachineError(message);
}

}  // namespace

InputFile::InputFile(const std::string& path) {
  if (path == "-") {
    name_ = "standard input";
    file_ = stdin;
    return;
  }
  name_ = printable(path, 1000);
  owned_.reset(std::fopen(path.c_str(), "rb"));
  if (!owned_) fail(name_, "open", errno);
  struct stat status {};
  if (::fstat(::fileno(owned_.get()), &status) == 0 && S_ISDIR(status.st_mode)) fail(name_, "read", EISDIR);
  file_ = owned_.get();
}

size_t InputFile::read(std::span<std::byte> out) {
  const size_t n_read = std::fread(out.data(), 1, out.size(), file_);
  if (n_read < out.size() && std::ferror(file_)) fail(name_, "read", errno);
  return n_read;
}

std::string read_text(const std::string& path, size_t max_bytes) {
  InputFile file(path);
  std::string text;
  for (;;) {
    constexpr size_t kChunk = size_t(1) << 16;
    const size_t n_before = text.size();
    text.resize(n_before + kChunk);
    const size_t n_read = file.read(std::as_writable_bytes(std::span(text)).subspan(n_before));
    text.resize(n_before + n_read);
    if (text.size() > max_bytes)
      throw UsageError(file.name() + ": is longer than " + std::to_string(max_bytes) + " bytes");
    if (n_read < kChunk) return text;
  }
}

std::vector<int32_t> parse_token_ids(std::string_view text, size_t vocab_size) {
  std::vector<int32_t> ids;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string_view item = text.substr(begin, end - begin);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    uint64_t id = 0;
    const auto [stop, error] = std::from_chars(item.data(), item.data() + item.size(), id);
    if (item.empty() || error != std::errc() || stop != item.data() + item.size())
      throw UsageError("--tokens: item " + std::to_string(ids.size() + 1) + ", \"" + printable(item) +
                       "\", is not a token id");
    if (id >= vocab_size)
      throw UsageError("--tokens: item " + std::to_string(ids.size() + 1) + " is " + std::to_string(id) +
                       ", the vocabulary has ids 0 to " + std::to_string(vocab_size - 1));
    ids.push_back(int32_t(id));
    begin = end + 1;
  }
  return ids;
}

}  // namespace assay::cli
