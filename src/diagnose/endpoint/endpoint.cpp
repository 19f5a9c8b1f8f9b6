#include "diagnose/endpoint/endpoint.h"

#include <fmt/format.h>
#include <httplib.h>

#include <chrono>
#include <thread>

#include "base/json.h"

namespace assay {
namespace {

constexpr int kMostAlternatives = 20;   // OpenAI's chat limit, vLLM's default
constexpr int kFewestAlternatives = 5;  // OpenAI's limit for completions
constexpr int kHttpOk = 200, kHttpNotFound = 404, kHttpNotAllowed = 405, kHttpNotImplemented = 501;

bool is_absent(int status) {
  return status == kHttpNotFound || status == kHttpNotAllowed || status == kHttpNotImplemented;
}

/// What an engine says of its own error, in any of the usual forms.
std::string complaint(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  const nlohmann::json* text = json.is_object() && json.contains("error") ? &json["error"] : nullptr;
  if (text && text->is_object() && text->contains("message")) text = &(*text)["message"];
  return text && text->is_string() ? printable(text->get<std::string>(), 300) : printable(body, 300);
}

/// Interrupts a request when the user wants to stop.
class Watch {
 public:
  Watch(httplib::Client& client, const std::atomic<bool>* cancel) {
    if (cancel)
      thread_ = std::jthread([&client, cancel](const std::stop_token& done) {
        while (!done.stop_requested()) {
          if (cancel->load(std::memory_order_relaxed)) client.stop();
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
      });
  }

 private:
  std::jthread thread_;
};

}  // namespace

Endpoint::Endpoint(const std::string& url, std::string model, const std::atomic<bool>* cancel)
    : model_(std::move(model)), cancel_(cancel) {
  const size_t host = url.find("://");
  const std::string scheme = url.substr(0, host == std::string::npos ? 0 : host);
  if (scheme != "http" && scheme != "https")
    throw UsageError("--endpoint: \"" + printable(url) + "\" is no URL: http://HOST:PORT");
  const size_t path = std::min(url.find('/', host + 3), url.size());
  origin_ = url.substr(0, path);
  prefix_ = url.substr(path);
  while (prefix_.ends_with('/')) prefix_.pop_back();
  if (prefix_.ends_with("/v1")) prefix_.resize(prefix_.size() - 3);
  if (origin_.size() == host + 3 || origin_.find_first_of(" \t\r\n@?#") != std::string::npos)
    throw UsageError("--endpoint: \"" + printable(url) + "\" has no plain host");
}

Endpoint::Answer Endpoint::post(const std::string& path, const nlohmann::ordered_json& body) {
  if (++n_requests_ > kMaxRequests)
    throw UsageError(fmt::format("{}: {} requests were not enough", origin_, kMaxRequests));
  httplib::Client client(origin_);
  if (!client.is_valid()) throw UsageError("--endpoint: \"" + printable(origin_) + "\" is no address");
  client.set_connection_timeout(kConnectSeconds);
  client.set_read_timeout(kAnswerSeconds);
  client.set_write_timeout(kAnswerSeconds);
  const auto begin = std::chrono::steady_clock::now();
  Answer answer;
  bool too_long = false, too_late = false;
  httplib::Request request;
  request.method = "POST";
  request.path = prefix_ + path;
  request.headers = {{"Content-Type", "application/json"}};
  request.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  request.content_receiver = [&](const char* data, size_t n, uint64_t, uint64_t) {
    too_long = n > kMaxResponseBytes - answer.body.size();
    too_late =
        std::chrono::steady_clock::now() - begin > std::chrono::seconds(kAnswerSeconds);  // drop by drop
    if (too_long || too_late) return false;
    answer.body.append(data, n);
    return true;
  };
  const httplib::Result result = [&] {
    const Watch watch(client, cancel_);
    return client.send(request);
  }();
  if (cancel_ && cancel_->load()) throw MachineError("stopped");
  if (too_long)
    throw UsageError(fmt::format("{}: the answer is longer than {} bytes", place(path), kMaxResponseBytes));
  if (too_late)
    throw UsageError(fmt::format("{}: the answer took longer than {} s", place(path), kAnswerSeconds));
  if (!result)
    throw UsageError(fmt::format("{}: no answer: {}", place(path),
                                 result.error() == httplib::Error::Connection
                                     ? "cannot connect; is the engine running?"
                                     : httplib::to_string(result.error())));
  answer.status = result->status;
  return answer;
}

nlohmann::json Endpoint::need_json(const std::string& path, const Answer& answer) const {
  if (answer.status != kHttpOk)
    throw UsageError(
        fmt::format("{}: HTTP status {}: {}", place(path), answer.status, complaint(answer.body)));
  constexpr int kDeepest = 64;
  try {
    return parse_json(answer.body, kDeepest);
  } catch (const BadJson& error) {
    throw UsageError(fmt::format("{}: the answer at byte {}: {}", place(path), error.byte, error.what()));
  }
}

ReportedRow Endpoint::complete(const std::string& prompt) {
  const auto openai = [&](int n_alternatives) {
    nlohmann::ordered_json body{{"prompt", prompt},
                                {"max_tokens", 1},
                                {"temperature", 0},
                                {"logprobs", n_alternatives},
                                {"stream", false}};
    if (!model_.empty()) body["model"] = model_;
    return post("/v1/completions", body);
  };
  if (completion_path_ != "/completion") {
    const std::string path = "/v1/completions";
    Answer answer = openai(kMostAlternatives);
    if (answer.status == 400 || answer.status == 422) answer = openai(kFewestAlternatives);
    if (!is_absent(answer.status)) {
      completion_path_ = path;
      return parse_reported_row(need_json(path, answer), place(path));
    }
  }
  completion_path_ = "/completion";
  const Answer answer = post(completion_path_, {{"prompt", prompt},
                                                {"n_predict", 1},
                                                {"temperature", 0},
                                                {"n_probs", kMostAlternatives},
                                                {"cache_prompt", false},
                                                {"stream", false}});
  return parse_reported_row(need_json(completion_path_, answer), place(completion_path_));
}

ReportedRow Endpoint::chat(const nlohmann::ordered_json& messages) {
  const std::string path = "/v1/chat/completions";
  nlohmann::ordered_json body{{"messages", messages},
                              {"max_tokens", 1},
                              {"temperature", 0},
                              {"logprobs", true},
                              {"top_logprobs", kMostAlternatives},
                              {"stream", false}};
  if (!model_.empty()) body["model"] = model_;
  Answer answer = post(path, body);
  if (answer.status == 400 || answer.status == 422) {
    body["top_logprobs"] = kFewestAlternatives;
    answer = post(path, body);
  }
  return parse_reported_row(need_json(path, answer), place(path));
}

std::optional<std::vector<int32_t>> Endpoint::tokenize(const std::string& text) {
  const std::string path = "/tokenize";
  const Answer answer = post(path, {{"content", text}, {"add_special", true}, {"parse_special", true}});
  if (answer.status != kHttpOk) return std::nullopt;
  const nlohmann::json json = need_json(path, answer);
  if (!json.is_object() || !json.contains("tokens") || !json["tokens"].is_array()) return std::nullopt;
  std::vector<int32_t> ids;
  for (const nlohmann::json& id : json["tokens"]) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) return std::nullopt;
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

}  // namespace assay
