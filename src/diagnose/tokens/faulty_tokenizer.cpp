#include "diagnose/tokens/faulty_tokenizer.h"

namespace assay {

bool changes_ids(const Fault& fault) noexcept {
  return std::holds_alternative<TokensFault>(fault.injection) ||
         std::holds_alternative<PromptFault>(fault.injection);
}

FaultyTokenizer::FaultyTokenizer(const GgufFile& file, const Tokenizer& healthy,
                                 std::span<const Fault* const> faults)
    : file_(file), healthy_(healthy), faults_(faults.begin(), faults.end()) {
  bool rebuilt = false;
  auto make = [](TokenizerTables tables) { return make_tokenizer(std::move(tables)); };
  std::unique_ptr<Tokenizer> (*maker)(TokenizerTables) = make;
  for (const Fault* fault : faults_)
    if (const auto* tokens = std::get_if<TokensFault>(&fault->injection)) {
      if (tokens->touches && !tokens->touches(healthy)) applies_ = false;
      if (tokens->make) maker = tokens->make;
      rebuilt = rebuilt || tokens->change || tokens->make;
    }
  if (!applies_ || !rebuilt) return;
  TokenizerTables tables = parse_tokenizer(file.metadata());
  for (const Fault* fault : faults_)
    if (const auto* tokens = std::get_if<TokensFault>(&fault->injection); tokens && tokens->change)
      tokens->change(tables);
  changed_ = maker(std::move(tables));
}

std::optional<std::vector<int32_t>> FaultyTokenizer::encode(const PromptSource& source,
                                                            size_t n_context) const {
  std::optional<PromptText> prompt;
  for (const Fault* fault : faults_)
    if (const auto* wrong = std::get_if<PromptFault>(&fault->injection)) {
      if (prompt) return std::nullopt;  // one prompt cannot be written in two wrong ways
      prompt = wrong->write(file_, healthy_, source);
      if (!prompt) return std::nullopt;
    }
  if (!prompt) prompt = write_prompt(file_, healthy_, source);
  for (const Fault* fault : faults_)
    if (const auto* tokens = std::get_if<TokensFault>(&fault->injection); tokens && tokens->rewrite)
      tokens->rewrite(healthy_, *prompt);
  std::vector<int32_t> ids = encode_prompt(changed_ ? *changed_ : healthy_, *prompt);
  for (const Fault* fault : faults_)
    if (const auto* tokens = std::get_if<TokensFault>(&fault->injection); tokens && tokens->edit)
      tokens->edit(healthy_, ids, n_context);
  return ids;
}

}  // namespace assay
