#include "cli/model_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "cli/terminal.h"

namespace assay::cli {
namespace {

/// Shown once loading has taken half a second, gone when it is done.
class ProgressBar {
 public:
  ~ProgressBar() {
    if (shown_ >= 0) write("\r\x1b[K");
  }
  void update(uint64_t done, uint64_t total) {
    constexpr auto kPatience = std::chrono::milliseconds(500);
    if (!errors_are_terminal() || total == 0 || std::chrono::steady_clock::now() - begin_ < kPatience) return;
    const int percent = int(100.0 * double(done) / double(total));
    if (percent == shown_) return;
    shown_ = percent;
    constexpr int kWidth = 40;
    const std::string bar(size_t(percent * kWidth / 100), '#');
    write(fmt::format("\rloading [{:<{}}] {:3} %", bar, kWidth, percent));
  }

 private:
  static void write(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stderr); }
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  int shown_ = -1;
};

}  // namespace

void add_kv_option(CLI::App& app, KvType& type) {
  std::vector<std::string> names, sizes;
  for (const KvTypeInfo& kv : kv_types()) {
    names.emplace_back(kv.name);
    sizes.push_back(fmt::format("{} ({} bytes)", kv.name, kv.bytes_per_number));
  }
  app.add_option_function<std::string>(
         "--kv",
         [&type](const std::string& name) {
           type = std::ranges::find(kv_types(), name, &KvTypeInfo::name)->type;
         },
         fmt::format("Numbers of the KV cache: {} (default: {})", fmt::join(sizes, ", "), kv_info(type).name))
      ->check(CLI::IsMember(names))
      ->option_text("TYPE");
}

void add_model_options(CLI::App& app, ModelOptions& o) {
  app.add_option("MODEL", o.path, "GGUF file; of a split model its first part")->required();
  app.add_option("-t,--threads", o.n_threads, "Threads (default: the processors)")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  app.add_option("--backend", o.backend, "Evaluator: " + backend_names() + " (default: the first)")
      ->option_text("NAME");
  app.add_option("--batch", o.n_batch, fmt::format("Prompt tokens computed at once (default: {})", o.n_batch))
      ->check(CLI::Range(1, 1 << 16))
      ->option_text("N");
  add_kv_option(app, o.kv_type);
}

std::unique_ptr<LoadedModel> load_model(const ModelOptions& o, bool with_tokenizer) {
  std::unique_ptr<LoadedModel> loaded;
  {
    ProgressBar bar;
    loaded = std::make_unique<LoadedModel>(
        o.path, LoadOptions{o.backend, o.n_threads, with_tokenizer,
                            [&bar](uint64_t done, uint64_t total) { bar.update(done, total); }});
  }
  for (const std::string& warning : loaded->warnings()) notice("warning: " + warning);
  return loaded;
}

}  // namespace assay::cli
