// The options of `assay diagnose`, and its modes: one file diagnose_MODE.cpp each, one line in
// diagnose_modes.inc.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "cli/model_options.h"
#include "diagnose/finding.h"

namespace assay::cli {

struct DiagnoseOptions {
  ModelOptions model;
  std::string tokens;                    // --tokens ids.json
  std::optional<std::string> text;       // --text P, perhaps empty
  std::string text_file, messages;       // --text-file F, --messages F
  std::string weights, tensor, rows;     // --weights DUMP --tensor NAME [--rows A:B]
  std::string trace;                     // --trace T.safetensors
  std::string logits, ids;               // --logits L.npy --ids 1,2,3
  std::string endpoint, endpoint_model;  // --endpoint URL
  std::string without;                   // --without FAULT
  bool json = false;

  /// The fault of --without; null: none is left out. Throws UsageError.
  const Fault* hidden() const { return without.empty() ? nullptr : &need_fault(without); }
};

struct DiagnoseMode {
  std::string_view option;                         // what chooses it: "--tokens"
  std::string DiagnoseOptions::*value;             // given when not empty
  Finding (*run)(const DiagnoseOptions& options);  // throws the errors of load_error.h
};

}  // namespace assay::cli
