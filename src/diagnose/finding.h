// What a diagnosis ends with.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "diagnose/faults/fault.h"

namespace assay {

/// A conclusion with the figures behind it; every mode of `assay diagnose` gives one.
struct Finding {
  enum class Verdict : uint8_t {
    no_fault,       // what differs is arithmetic, or nothing
    fault,          // candidates[0] explains it and nothing else does
    shortlist,      // the candidates explain it equally: `next` says which dump would tell them apart
    unknown_fault,  // something is wrong, at `place`, and no fault of the list explains it
    not_enough_data
  } verdict = Verdict::not_enough_data;

  struct Candidate {
    const Fault* fault;
    double confidence;                     // 0..1: the candidates' add up to at most 1
    std::string evidence;                  // with its figures
    std::vector<const Fault*> along = {};  // faults that it explains the data together with
  };
  std::vector<Candidate> candidates;  // best first; empty unless verdict is fault or shortlist
  std::string place;                  // file, tensor, op, layer, positions, bytes: what is known of where
  std::vector<std::string> figures;   // one sentence each
  std::vector<std::string> refusals;  // conclusions that the data cannot carry, and why
  std::string next;                   // what to do now
};

/// "no fault found", "fault", ...
std::string_view verdict_name(Finding::Verdict verdict) noexcept;

}  // namespace assay
