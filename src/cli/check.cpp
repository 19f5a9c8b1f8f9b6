// assay check: a publisher's last look at a file.
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <optional>

#include "base/atomic_file.h"
#include "cli/chunk_progress.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/terminal.h"
#include "cli/version.h"
#include "diagnose/check/check.h"
#include "diagnose/report/check_report.h"
#include "quantize/quantizer.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string file, source, report;
  size_t n_threads = 0, n_tokens = 256;
  bool json = false;
};

std::string now_utc() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

Json json_of(const CheckReport& report, const std::string& date) {
  Json json{{"file", report.path},
            {"bytes", report.n_bytes},
            {"assay", kVersion},
            {"date", date},
            {"types", report.types}};
  json["sha256"] = Json::object();
  for (const auto& [path, digest] : report.sha256) json["sha256"][path] = digest;
  if (!report.source.empty()) json["source"] = report.source;
  json["status"] = status_name(report.status());
  json["checks"] = Json::array();
  for (const CheckReport::Entry& entry : report.entries)
    json["checks"].push_back({{"name", entry.name},
                              {"what", entry.what},
                              {"status", status_name(entry.result.status)},
                              {"found", entry.result.sentences}});
  return json;
}

void print_report(const CheckReport& report) {
  for (const CheckReport::Entry& entry : report.entries) {
    bool first = true;
    for (const std::string& sentence : entry.result.sentences) {
      print_text(fmt::format("{:<8} {:<14} {}\n", first ? status_name(entry.result.status) : "",
                             first ? entry.name : "", sentence));
      first = false;
    }
  }
  print("\n");
  for (const auto& [path, digest] : report.sha256)
    print_text(fmt::format("SHA-256  {}  {}\n", digest, printable(path, 1000)));
  print_text(fmt::format("{}\n", status_name(report.status())));
}

ExitStatus run(const Options& o) {
  CheckReport report;
  try {
    std::optional<ChunkProgress> progress;
    report = check_file(
        {o.file, o.source, o.n_threads, o.n_tokens, [&](size_t done, size_t total, std::string_view what) {
           if (!progress) progress.emplace(total, 0, "step");
           return progress->done_of(done, total, printable(what, 60));
         }});
  } catch (const Stopped&) {
    throw UsageError("stopped: nothing was judged");
  }
  const std::string date = now_utc();
  if (!o.report.empty()) {
    AtomicFile file(o.report);
    file.write(check_report(report, fmt::format("assay {}, {}", kVersion, date)));
    file.commit();
  }
  if (o.json)
    print_json(json_of(report, date));
  else
    print_report(report);
  return report.status() == CheckStatus::fault ? kFaultFound : kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option("FILE", o->file, "GGUF file; of a split model its first part")->required();
  app.add_option("--source", o->source, "What it was quantized from: weights and logits are held against it")
      ->option_text("FILE");
  app.add_option("-n,--tokens", o->n_tokens, "With --source: tokens of the text that both run")
      ->check(CLI::Range(16, 1 << 20))
      ->capture_default_str()
      ->option_text("N");
  app.add_option("-t,--threads", o->n_threads, "Threads (default: the processors)")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  app.add_option("--report", o->report, "Write the result as one HTML page")->option_text("FILE");
  app.add_flag("--json", o->json, "Print the result as JSON, with SHA-256, version and date");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_check{
    "check", "Look at a file a last time before it is published",
    "Example: assay check model-q4_k_m.gguf --source model-f16.gguf --report check.html --json > check.json\n"
    "Exit status 1: a check found a fault. Warnings leave it 0.",
    define};

}  // namespace assay::cli
