// From another engine's token ids to the fault that made them.
#pragma once
#include "diagnose/finding.h"
#include "diagnose/tokens/token_hypotheses.h"

namespace assay {

/// Compares `observed` with the right ids of `source` and with those of every fault of tokens and prompts,
/// alone and up to three at once. A fault is named when its ids are exactly the observed ones: ids are exact,
/// so there is no noise to allow for, and a fault that only comes near is reported as near. `hidden` is
/// a fault that is not in the list for this diagnosis. Throws
/// UsageError: the source cannot be encoded or rendered.
Finding diagnose_tokens(const GgufFile& file, const Tokenizer& tokenizer, const PromptSource& source,
                        std::span<const int32_t> observed, const OnHypothesis& on_hypothesis,
                        const Fault* hidden = nullptr);

/// The probes that a file can be asked: texts, and conversations where it has a template that takes them.
std::vector<PromptSource> probes_of(const GgufFile& file, const Tokenizer& tokenizer, bool conversations);

/// Ids that an engine dumped: "1,2,3" or JSON: a list, or an object with a list under "ids", "tokens",
/// "input_ids" or "prompt_token_ids"; elements are numbers, or objects with an "id". `name` stands for it in
/// errors. Throws UsageError with the place of a mistake.
std::vector<int32_t> parse_token_dump(const std::string& text, const std::string& name);

}  // namespace assay
