// From a running engine, over HTTP, to the fault in it.
#pragma once
#include <functional>
#include <string>

#include "base/thread_pool.h"
#include "diagnose/endpoint/endpoint.h"
#include "diagnose/finding.h"
#include "model/model.h"
#include "tokenizer/tokenizer.h"

namespace assay {

struct EndpointQuestion {
  Endpoint& endpoint;
  const Model& model;
  const Tokenizer& tokenizer;
  Ops& fast;                                      // an evaluator with an engine's usual rounding, loaded
  ThreadPool& pool;                               // for `exact`
  std::function<void(const std::string&)> doing;  // what it is at; may throw to stop
};

/// Asks the endpoint to continue short prompts, chosen so that as many faults of tokens and prompts as
/// possible give different ids on them, and explains the reported probabilities: by the right ids, by those
/// of each such fault, and, where none does, by each fault of computation on the right ids.
///
/// Ids explain a row when KL(reported || its own), in `exact`, is at most the bound of that row: 16
/// times that of `fast` against `exact` on the same ids, which allows four times its rounding error (KL grows
/// with the square), and not less than 1e-3, which covers log-probabilities printed with three digits. Faults
/// of computation are judged as logit_diagnosis.h does. Throws what Endpoint throws.
Finding diagnose_endpoint(const EndpointQuestion& question);

}  // namespace assay
