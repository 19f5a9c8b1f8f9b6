// For tests: valid UTF-8 of all kinds.
#pragma once
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "tokenizer/utf8.h"

namespace assay {

/// Code points from everywhere, with ASCII, white space and digits frequent.
inline rc::Gen<std::string> random_text() {
  const auto character = rc::gen::weightedOneOf<uint32_t>(
      {{6, rc::gen::inRange(0x20u, 0x7Fu)},
       {3, rc::gen::element(0x20u, 0x0Au, 0x0Du, 0x09u, 0x27u, 0x31u, 0x61u)},
       {1, rc::gen::inRange(0u, 0x800u)},
       {1, rc::gen::inRange(0x800u, 0xD800u)},
       {1, rc::gen::inRange(0xE000u, 0x110000u)}});
  return rc::gen::map(rc::gen::container<std::vector<uint32_t>>(character),
                      [](const std::vector<uint32_t>& code_points) {
                        std::string text;
                        for (const uint32_t code_point : code_points) append_utf8(text, code_point);
                        return text;
                      });
}

}  // namespace assay
