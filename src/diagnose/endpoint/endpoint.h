// A client of engines that speak HTTP: OpenAI's API with log-probabilities, and llama.cpp's own.
#pragma once
#include <atomic>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace assay {

/// A token that might come next, as an engine reports it.
struct ReportedToken {
  std::string text;           // its bytes
  std::optional<int32_t> id;  // where the engine tells
  double logprob = 0;         // natural logarithm
};

/// The likeliest tokens after a prompt. Probabilities sum to at most about 1.
using ReportedRow = std::vector<ReportedToken>;

/// Every request is bounded: kMaxResponseBytes, a time limit, one token to generate. Not thread safe.
class Endpoint {
 public:
  /// `url`: http://HOST[:PORT][/PREFIX], with or without the API's /v1; https too. `model`: what to ask for,
  /// may be empty. `cancel`, when set and true, ends a request. Throws UsageError when the URL is none.
  Endpoint(const std::string& url, std::string model, const std::atomic<bool>* cancel = nullptr);

  /// What may follow `prompt`, a text to be continued, or a conversation. All throw UsageError: no answer, an
  /// HTTP error, an answer that is not JSON, too long or without log-probabilities; MachineError when
  /// cancelled.
  ReportedRow complete(const std::string& prompt);
  ReportedRow chat(const nlohmann::ordered_json& messages);
  /// Ids of `text` by llama.cpp's /tokenize; nothing where there is none.
  std::optional<std::vector<int32_t>> tokenize(const std::string& text);

  size_t n_requests() const { return n_requests_; }
  /// "/v1/completions": what complete() found there.
  const std::string& completion_path() const { return completion_path_; }

  static constexpr size_t kMaxResponseBytes = size_t(1) << 24;
  static constexpr size_t kMaxRequests = 200;
  static constexpr int kConnectSeconds = 5, kAnswerSeconds = 120;

 private:
  struct Answer {
    int status = 0;
    std::string body;
  };
  Answer post(const std::string& path, const nlohmann::ordered_json& body);
  nlohmann::json need_json(const std::string& path, const Answer& answer) const;
  std::string place(const std::string& path) const { return origin_ + prefix_ + path; }

  std::string origin_, prefix_, model_;
  const std::atomic<bool>* cancel_;
  size_t n_requests_ = 0;
  std::string completion_path_;
};

/// The first generated token's alternatives in an answer of any of the APIs. Throws UsageError beginning with
/// `place`.
ReportedRow parse_reported_row(const nlohmann::json& answer, const std::string& place);

}  // namespace assay
