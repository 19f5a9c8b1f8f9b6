// Every named intermediate of one forward pass.
#pragma once
#include <span>
#include <vector>

#include "diagnose/dumps/safetensors_writer.h"
#include "model/model.h"

namespace assay {

/// Runs `ids`, each below vocab_size, as one batch from position 0, logits of every position included, and
/// returns the results in order of execution, under llama.cpp's names: "attn_norm-0", "l_out-0",
/// "result_output". Where several operations give results of one name ("Qcur-0" before and after RoPE) each
/// has its kind, as ggml calls it, behind the name: "Qcur-0:MUL_MAT", "Qcur-0:ROPE". Throws UsageError,
/// MachineError, and whatever recording threw.
std::vector<NamedTensor> trace_tokens(const Model& model, Ops& ops, std::span<const int32_t> ids,
                                      KvType kv_type);

}  // namespace assay
