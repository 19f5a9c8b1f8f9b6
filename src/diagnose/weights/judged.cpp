#include "diagnose/weights/judged.h"

namespace assay {

Decoded decode_as(const JudgedWeights& judged, const QuantType& type) {
  Decoded decoded{std::vector<float>(judged.dumped.size()), std::vector<float>(judged.dumped.size())};
  const auto blocks = judged.blocks();
  type.dequantize(blocks.data(), judged.n_blocks(), decoded.values.data());
  decode_slack(type, blocks, decoded.values, decoded.slack);
  return decoded;
}

Decoded decode_truth(const JudgedWeights& judged) {
  return decode_as(judged, *judged.tensor.info.type);
}

size_t count_wrong(const JudgedWeights& judged, const Decoded& decoded, DumpRounding rounding, size_t most) {
  size_t n_wrong = 0;
  for (size_t i = 0; i < judged.dumped.size() && n_wrong <= most; ++i)
    n_wrong += !agrees(judged.dumped[i], decoded.values[i], decoded.slack[i], rounding);
  return n_wrong;
}

}  // namespace assay
