// The client against a server that answers what strangers may answer, and the comparison of rows.
#include "diagnose/endpoint/endpoint.h"

#include <gmock/gmock.h>
#include <httplib.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <thread>

#include "base/load_error.h"
#include "diagnose/endpoint/diagnose_endpoint.h"
#include "diagnose/endpoint/row_match.h"
#include "diagnose/faults/faulty_engine.h"
#include "runtime/backend.h"
#include "tokenizer/small_vocabularies.h"

namespace assay {
namespace {

using Json = nlohmann::json;

/// Answers every POST on 127.0.0.1 as `answer` says.
class FakeServer {
 public:
  explicit FakeServer(std::function<void(const httplib::Request&, httplib::Response&)> answer) {
    server_.Post(".*",
                 [answer = std::move(answer)](const httplib::Request& request, httplib::Response& response) {
                   answer(request, response);
                 });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~FakeServer() {
    server_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

std::string problem_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

const Json kAlternatives = {{{"token", " cat"}, {"logprob", -0.5}}, {{"token", "\n"}, {"logprob", -1.5}}};

TEST(Endpoint, ReadsEveryApi) {
  const Json answers[] = {
      {{"choices", {{{"logprobs", {{"content", {{{"token", " cat"}, {"top_logprobs", kAlternatives}}}}}}}}}},
      {{"choices", {{{"logprobs", {{"top_logprobs", {{{" cat", -0.5}, {"\n", -1.5}}}}}}}}}},
      {{"completion_probabilities", {{{"content", " cat"}, {"top_logprobs", kAlternatives}}}}},
      {{"completion_probabilities",
        {{{"probs",
           {{{"tok_str", " cat"}, {"prob", std::exp(-0.5)}},
            {{"tok_str", "\n"}, {"prob", std::exp(-1.5)}}}}}}}},
  };
  for (const Json& answer : answers) {
    SCOPED_TRACE(answer.dump());
    const FakeServer server([&](const auto&, httplib::Response& response) {
      response.set_content(answer.dump(), "application/json");
    });
    ReportedRow row = Endpoint(server.url(), "").complete("the");
    ASSERT_EQ(row.size(), 2u);
    if (row[0].text != " cat") std::swap(row[0], row[1]);
    EXPECT_EQ(row[0].text, " cat");
    EXPECT_NEAR(row[0].logprob, -0.5, 1e-12);
    EXPECT_EQ(row[1].text, "\n");
    EXPECT_NEAR(row[1].logprob, -1.5, 1e-12);
  }
}

TEST(Endpoint, FallsBackToLlamaCppAndToFewerAlternatives) {
  std::vector<std::string> paths;
  const FakeServer server([&](const httplib::Request& request, httplib::Response& response) {
    paths.push_back(request.path);
    if (request.path == "/prefix/v1/completions") {
      response.status = 404;
    } else if (Json::parse(request.body).value("top_logprobs", 0) > 5) {
      response.status = 400;
    } else {
      response.set_content(Json{{"completion_probabilities", {{{"top_logprobs", kAlternatives}}}}}.dump(),
                           "application/json");
    }
  });
  Endpoint endpoint(server.url() + "/prefix/v1/", "");
  EXPECT_EQ(endpoint.complete("a").size(), 2u);
  EXPECT_EQ(endpoint.complete("b").size(), 2u);
  EXPECT_EQ(endpoint.chat(Json::array()).size(), 2u);
  EXPECT_THAT(paths,
              testing::ElementsAre("/prefix/v1/completions", "/prefix/completion", "/prefix/completion",
                                   "/prefix/v1/chat/completions", "/prefix/v1/chat/completions"));
}

TEST(Endpoint, HostileAnswersAreErrors) {
  const std::string deep(100000, '[');
  const auto row = [](const char* alternative) {
    return std::string(R"({"completion_probabilities": [{"top_logprobs": [)") + alternative + "," +
           alternative + "]}]}";
  };
  const std::pair<std::string, const char*> cases[] = {
      {"", "JSON"},
      {"{", "JSON"},
      {"<html>", "JSON"},
      {deep, "nested"},
      {"[]", "log-probabilities"},
      {"{}", "log-probabilities"},
      {R"({"choices": []})", "log-probabilities"},
      {R"({"choices": 3})", "log-probabilities"},
      {R"({"choices": [{"text": "a", "logprobs": null}]})", "log-probabilities"},
      {R"({"choices": [{"logprobs": {"content": [{"top_logprobs": []}]}}]})", "log-probabilities"},
      {R"({"choices": [{"logprobs": {"top_logprobs": [3]}}]})", "log-probabilities"},
      {row("3"), "neither"},
      {row(R"({"token": "a"})"), "logprob"},
      {row(R"({"token": "a", "logprob": "x"})"), "logprob"},
      {row(R"({"token": "a", "logprob": 5})"), "no log-probability"},
      {row(R"({"token": "a", "prob": -1})"), "no log-probability"},
      {row(R"({"token": "a", "bytes": [300], "logprob": -1})"), "bytes"},
      {row(R"({"id": -1, "logprob": -1})"), "neither"},
  };
  for (const auto& [body, says] : cases) {
    const FakeServer server(
        [&, b = body](const auto&, httplib::Response& response) { response.set_content(b, "text/plain"); });
    EXPECT_THAT(problem_of([&] { Endpoint(server.url(), "").complete("a"); }), testing::HasSubstr(says))
        << body.substr(0, 100);
  }
}

TEST(Endpoint, BoundsItsAnswerAndItsRequests) {
  const FakeServer endless([](const auto&, httplib::Response& response) {
    response.set_chunked_content_provider("application/json", [](size_t, httplib::DataSink& sink) {
      const std::string part(1 << 16, ' ');
      return sink.write(part.data(), part.size());
    });
  });
  EXPECT_THAT(problem_of([&] { Endpoint(endless.url(), "").complete("a"); }),
              testing::HasSubstr("longer than"));

  const FakeServer absent([](const auto&, httplib::Response& response) { response.status = 404; });
  Endpoint endpoint(absent.url(), "");
  for (size_t i = 0; i < Endpoint::kMaxRequests; ++i) EXPECT_EQ(endpoint.tokenize("a"), std::nullopt);
  EXPECT_THAT(problem_of([&] { endpoint.tokenize("a"); }), testing::HasSubstr("requests"));
}

TEST(Endpoint, SaysWhatTheServerSays) {
  const FakeServer server([](const auto&, httplib::Response& response) {
    response.status = 500;
    response.set_content(R"({"error": {"message": "out of\u001b memory"}})", "application/json");
  });
  const std::string problem = problem_of([&] { Endpoint(server.url(), "").complete("a"); });
  EXPECT_THAT(problem, testing::AllOf(testing::HasSubstr("500"), testing::HasSubstr("out of\\x1B memory")));
}

TEST(Endpoint, RefusesWhatIsNoUrlAndWhoDoesNotAnswer) {
  for (const char* url :
       {"", "localhost:80", "ftp://a", "http://", "http:///v1", "http://a b", "http://user@host"})
    EXPECT_THROW(Endpoint(url, ""), UsageError) << url;
  std::string gone;
  {
    const FakeServer server([](const auto&, httplib::Response&) {});
    gone = server.url();
  }
  EXPECT_THAT(problem_of([&] { Endpoint(gone, "").complete("a"); }), testing::HasSubstr("no answer"));
}

TEST(Endpoint, StopsWhenTheUserWants) {
  std::atomic<bool> cancel = false;
  const FakeServer slow([&](const auto&, httplib::Response& response) {
    while (!cancel) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    response.set_content("{}", "application/json");
  });
  std::jthread user([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    cancel = true;
  });
  EXPECT_THROW(Endpoint(slow.url(), "", &cancel).complete("a"), MachineError);
}

TEST(RowMatch, DivergenceIsZeroForEqualsAndGrows) {
  const auto tokenizer = small_sentencepiece().open();
  const RowMatch match(*tokenizer);
  std::vector<float> logits(size_t(tokenizer->vocabulary().n_tokens()));
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = float(std::sin(double(i)) * 3);
  const ReportedRow same = match.report(logits, 10);
  EXPECT_NEAR(match.divergence(same, logits), 0, 1e-12);
  EXPECT_EQ(match.known_share(same), 1);
  std::vector<float> other = logits;
  for (size_t i = 0; i < logits.size(); ++i) other[i] += float(i % 2);
  // Full KL by its definition, which the coarse one must not exceed.
  const auto softmax = [](const std::vector<float>& x) {
    double total = 0;
    for (const float v : x) total += std::exp(double(v));
    std::vector<double> p;
    for (const float v : x) p.push_back(std::exp(double(v)) / total);
    return p;
  };
  const auto p = softmax(logits), q = softmax(other);
  double full = 0;
  for (size_t i = 0; i < p.size(); ++i) full += p[i] * std::log(p[i] / q[i]);
  double previous = 0;
  for (const size_t n : {2, 5, 20, 100}) {
    const double coarse = match.divergence(match.report(logits, n), other);
    EXPECT_GE(coarse, previous - 1e-12);
    EXPECT_LE(coarse, full + 1e-12);
    previous = coarse;
  }
  EXPECT_EQ(match.known_share({{"no such token", {}, -0.1}, {"neither this", {}, -3}}), 0);
  EXPECT_EQ(match.known_share({{"x", 1 << 30, -0.1}}), 0);
}

/// What `diagnose_endpoint` says of a server that runs the model with a fault (null: none), prints
/// log-probabilities of 20 tokens with 4 digits and has no /tokenize.
Finding diagnose_server(const Model& model, const Fault* fault) {
  const std::unique_ptr<const Tokenizer> tokenizer = make_tokenizer(model.file().metadata());
  const RowMatch match(*tokenizer);
  ThreadPool pool(1);
  FaultyEngine engine(model, pool, fault ? std::span(&fault, 1) : std::span<const Fault* const>());
  EXPECT_TRUE(engine.applies());
  const FakeServer server([&](const httplib::Request& request, httplib::Response& response) {
    response.status = 404;
    if (request.path != "/v1/completions") return;
    const PromptSource source{Json::parse(request.body)["prompt"].get<std::string>(), nullptr};
    const auto ids = encode_prompt(*tokenizer, write_prompt(model.file(), *tokenizer, source));
    const std::vector<float> logits = engine.logits(ids, KvType::f32);
    Json list = Json::array();
    for (const ReportedToken& t :
         match.report(std::span(logits).last(size_t(model.hparams().vocab_size)), 20))
      list.push_back({{"id", *t.id}, {"logprob", std::round(t.logprob * 1e4) / 1e4}});
    response.status = 200;
    response.set_content(Json{{"completion_probabilities", {{{"top_logprobs", list}}}}}.dump(),
                         "application/json");
  });
  Endpoint endpoint(server.url(), "");
  const std::unique_ptr<Ops> fast = need_backend("cpu").make({pool, {}});
  fast->load(model.product_weights(), {});
  ThreadPool own(1);
  return diagnose_endpoint({endpoint, model, *tokenizer, *fast, own, [](const std::string&) {}});
}

TEST(DiagnoseEndpoint, NamesFaultsOfComputationAndWeights) {
  const Model model(GgufFile::open(std::filesystem::path(ASSAY_SOURCE_DIR) /
                                   "tests/golden/models/llama-Q4_K_M/model.gguf"));
  EXPECT_EQ(diagnose_server(model, nullptr).verdict, Finding::Verdict::no_fault);
  for (const char* id : {"rope-pairs", "k-scales-linear"}) {
    const Finding finding = diagnose_server(model, &need_fault(id));
    const auto is_it = [&](const Finding::Candidate& c) { return c.fault->id == id; };
    EXPECT_TRUE(std::ranges::any_of(finding.candidates, is_it))
        << id << ": " << verdict_name(finding.verdict);
    EXPECT_LE(finding.candidates.size(), 2u) << id;  // rope-pairs is what permuted q and k do
  }
}

}  // namespace
}  // namespace assay
