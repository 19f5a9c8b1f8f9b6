#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer/pretokenizer.h"

#include <pcre2.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/load_error.h"
#include "tokenizer/newer_characters.h"

namespace assay {
namespace {

struct Free {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  void operator()(pcre2_jit_stack* p) const { pcre2_jit_stack_free(p); }
};

// Steps allowed for one match, far above what a pattern of the table needs for the longest text encode()
// takes at once.
constexpr uint32_t kMatchLimit = 1u << 31;
constexpr size_t kJitStackStart = 32 * 1024, kJitStackMax = 1024 * 1024;

std::string pcre2_message(int code) {
  PCRE2_UCHAR text[128] = {};
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

/// Replaces \s and \S: PCRE2's own are ASCII without UCP and, with it, hold U+180E, which Unicode no longer
/// calls white space.
std::string expand_white_space(std::string_view pattern) {
  constexpr std::string_view kWhiteSpace = R"(\x09-\x0d\x20\x85\p{Z})";
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      if (escaped == 's' && in_class) {
        out += kWhiteSpace;
      } else if (escaped == 's' || escaped == 'S') {
        out.append(escaped == 's' ? "[" : "[^").append(kWhiteSpace).append("]");
      } else {
        (out += c) += escaped;
      }
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out += c;
  }
  return out;
}

/// What one thread needs to match, whatever the pattern.
struct Scratch {
  std::unique_ptr<pcre2_match_data, Free> match{pcre2_match_data_create(1, nullptr)};
  std::unique_ptr<pcre2_match_context, Free> context{pcre2_match_context_create(nullptr)};
  std::unique_ptr<pcre2_jit_stack, Free> stack{pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr)};
  Scratch() {
    if (!match || !context) throw std::bad_alloc();
    pcre2_set_match_limit(context.get(), kMatchLimit);
    if (stack) pcre2_jit_stack_assign(context.get(), nullptr, stack.get());  // null: built without JIT
  }
};

}  // namespace

struct Splitter::Compiled {
  std::unique_ptr<pcre2_code, Free> code;
  SplitFunction function = nullptr;
};

Splitter::Splitter(const PreTokenizer& pretokenizer) {
  for (const SplitRule& rule : pretokenizer.rules) {
    if (rule.function) rules_.push_back({nullptr, rule.function});
    if (!rule.pattern) continue;
    const std::string pattern = expand_white_space(rule.pattern);
    int error = 0;
    PCRE2_SIZE error_offset = 0;
    std::unique_ptr<pcre2_code, Free> code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()),
                                                         pattern.size(), PCRE2_UTF | PCRE2_NO_AUTO_CAPTURE,
                                                         &error, &error_offset, nullptr));
    if (!code) throw std::logic_error("pattern " + pattern + ": " + pcre2_message(error));
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // where there is no JIT, pcre2_match interprets
    rules_.push_back({std::move(code), nullptr});
  }
}
Splitter::~Splitter() = default;
Splitter::Splitter(Splitter&&) noexcept = default;

std::vector<std::string_view> Splitter::split(std::string_view text) const {
  std::vector<std::string_view> pieces, next;
  if (text.empty()) return pieces;
  thread_local const Scratch scratch;  // costs more to make than most texts to split
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(scratch.match.get());
  const std::string replaced = replace_newer_characters(text);
  pieces.push_back(replaced.empty() ? text : std::string_view(replaced));
  for (const Compiled& rule : rules_) {
    next.clear();
    for (const std::string_view piece : pieces) {
      if (rule.function) {
        rule.function(piece, next);
        continue;
      }
      // Each piece is a subject of its own, so that no look-ahead sees past it.
      size_t start = 0;
      while (start < piece.size()) {
        const int n =
            pcre2_match(rule.code.get(), reinterpret_cast<PCRE2_SPTR>(piece.data()), piece.size(), start,
                        PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, scratch.match.get(), scratch.context.get());
        if (n == PCRE2_ERROR_NOMATCH) break;
        if (n < 0) throw UsageError("the pre-tokenizer cannot split this text: " + pcre2_message(n));
        if (span[0] > start) next.push_back(piece.substr(start, span[0] - start));
        next.push_back(piece.substr(span[0], span[1] - span[0]));
        start = span[1];
      }
      if (start < piece.size()) next.push_back(piece.substr(start));
    }
    pieces.swap(next);
  }
  size_t offset = 0;
  for (std::string_view& piece : pieces) {  // the same bytes of `text`
    piece = text.substr(offset, piece.size());
    offset += piece.size();
  }
  return pieces;
}

}  // namespace assay
