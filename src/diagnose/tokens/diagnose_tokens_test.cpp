// Ids made by each fault are named, healthy ids are not, and strangers' ids break nothing.
#include "diagnose/tokens/diagnose_tokens.h"

#include <gmock/gmock.h>

#include <iostream>
#include <random>

#include "base/load_error.h"
#include "diagnose/tokens/alignment.h"
#include "diagnose/tokens/faulty_tokenizer.h"
#include "diagnose/tokens/subjects.h"

namespace assay {
namespace {

using Verdict = Finding::Verdict;

const OnHypothesis kQuiet = [](size_t, size_t) {};

bool names(const Finding& finding, const Fault* fault) {
  return std::any_of(finding.candidates.begin(), finding.candidates.end(), [&](const Finding::Candidate& c) {
    return c.fault == fault || std::find(c.along.begin(), c.along.end(), fault) != c.along.end();
  });
}

TEST(DiagnoseTokens, NamesEveryFaultOnEveryPromptThatItChanges) {
  size_t n_cases = 0, n_alone = 0;
  for (const auto& subject : subjects())
    for (const Fault* fault : faults()) {
      if (!changes_ids(*fault)) continue;
      const FaultyTokenizer engine(subject->file, *subject->tokenizer, {&fault, 1});
      if (!engine.applies()) continue;
      for (const PromptSource& probe : subject->probes()) {
        const std::vector<int32_t> healthy = subject->healthy(probe);
        const auto ids = engine.encode(probe, healthy.size() / 2);
        if (!ids || *ids == healthy) continue;
        SCOPED_TRACE(testing::Message() << fault->id << " on " << subject->name << ": " << shown(probe));
        const Finding finding = diagnose_tokens(subject->file, *subject->tokenizer, probe, *ids, kQuiet);
        const bool cuts = std::get_if<TokensFault>(&fault->injection) &&
                          std::get<TokensFault>(fault->injection).cuts_to_context;
        // What a cut leaves may be what a plainer fault gives: "BOS missing" cuts one id.
        EXPECT_TRUE(names(finding, fault) || (cuts && !finding.candidates.empty()))
            << verdict_name(finding.verdict);
        ++n_cases;
        n_alone += finding.verdict == Verdict::fault;
        break;  // the first probe of each is enough
      }
    }
  std::cout << n_cases << " cases, " << n_alone << " told apart by one short prompt\n";
  EXPECT_GT(n_cases, 200u);
}

TEST(DiagnoseTokens, HealthyIdsAreNoFault) {
  for (const auto& subject : subjects())
    for (const PromptSource& probe : subject->probes()) {
      const Finding finding =
          diagnose_tokens(subject->file, *subject->tokenizer, probe, subject->healthy(probe), kQuiet);
      EXPECT_EQ(finding.verdict, Verdict::no_fault) << subject->name << " " << shown(probe);
      EXPECT_THAT(finding.candidates, testing::IsEmpty());
    }
}

TEST(DiagnoseTokens, TwoFaultsAtOnce) {
  const Subject tales(std::filesystem::path(ASSAY_SOURCE_DIR) / "models/tales-6m-f16.gguf");
  const PromptSource source{"Once upon a time.\nThe King said:", nullptr};
  const Fault* rustorch[] = {&need_fault("newline-as-space"), &need_fault("eos-appended")};
  const auto ids = FaultyTokenizer(tales.file, *tales.tokenizer, rustorch).encode(source);
  const Finding finding = diagnose_tokens(tales.file, *tales.tokenizer, source, *ids, kQuiet);
  EXPECT_EQ(finding.verdict, Verdict::fault);
  for (const Fault* fault : rustorch) EXPECT_TRUE(names(finding, fault)) << fault->id;
}

TEST(DiagnoseTokens, BosIsOpenWhereTheFileDoesNotSay) {
  VocabularyFile made = small_sentencepiece();
  const Subject silent("silent", made);
  made.rules["add_bos_token"] = true;
  const Subject clear("clear", made);
  const PromptSource source{"the cat", nullptr};
  std::vector<int32_t> ids = clear.healthy(source);
  ids.erase(ids.begin());
  EXPECT_EQ(diagnose_tokens(silent.file, *silent.tokenizer, source, ids, kQuiet).verdict, Verdict::no_fault);
  const Finding finding = diagnose_tokens(clear.file, *clear.tokenizer, source, ids, kQuiet);
  EXPECT_EQ(finding.verdict, Verdict::fault);
  EXPECT_EQ(finding.candidates.at(0).fault->id, "bos-missing");
}

TEST(DiagnoseTokens, UnknownIdsAreUnknown) {
  std::mt19937 random(1);
  for (const auto& subject : subjects()) {
    const PromptSource source{"the cat\nsat on 12 mats", nullptr};
    for (const size_t n_ids : {0, 1, 7, 400, 3000}) {
      std::vector<int32_t> ids(n_ids);
      for (int32_t& id : ids) id = int32_t(random());  // all of int32
      const Finding finding = diagnose_tokens(subject->file, *subject->tokenizer, source, ids, kQuiet);
      EXPECT_NE(finding.verdict, Verdict::no_fault);
      EXPECT_FALSE(finding.place.empty());
      EXPECT_TRUE(n_ids <= 1 || finding.verdict == Verdict::unknown_fault);
    }
    EXPECT_EQ(diagnose_tokens(subject->file, *subject->tokenizer, {"", nullptr},
                              subject->healthy({"", nullptr}), kQuiet)
                  .verdict,
              Verdict::not_enough_data);
  }
}

TEST(Alignment, IsAShortestScript) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<int32_t> a(random() % 12), b(random() % 12);
    for (auto* list : {&a, &b})
      for (int32_t& id : *list) id = int32_t(random() % 4);
    // The length of the longest common subsequence, by its recurrence.
    std::vector<std::vector<size_t>> lcs(a.size() + 1, std::vector<size_t>(b.size() + 1));
    for (size_t i = 1; i <= a.size(); ++i)
      for (size_t j = 1; j <= b.size(); ++j)
        lcs[i][j] = a[i - 1] == b[j - 1] ? lcs[i - 1][j - 1] + 1 : std::max(lcs[i - 1][j], lcs[i][j - 1]);
    std::vector<int32_t> rebuilt;
    size_t at = 0, n_changed = 0;
    for (const IdEdit& e : align(a, b)) {
      ASSERT_GE(e.a_begin, at);
      rebuilt.insert(rebuilt.end(), a.begin() + ptrdiff_t(at), a.begin() + ptrdiff_t(e.a_begin));
      rebuilt.insert(rebuilt.end(), b.begin() + ptrdiff_t(e.b_begin), b.begin() + ptrdiff_t(e.b_end));
      at = e.a_end;
      n_changed += e.n_changed();
    }
    rebuilt.insert(rebuilt.end(), a.begin() + ptrdiff_t(at), a.end());
    EXPECT_EQ(rebuilt, b);
    EXPECT_EQ(n_changed, a.size() + b.size() - 2 * lcs[a.size()][b.size()]);
  }
}

TEST(TokenDump, TakesWhatEnginesWrite) {
  const std::vector<int32_t> ids{1, 2, -3};
  for (const char* text : {"1,2,-3", " 1, 2 , -3\n", "1 2 -3", "[1,2,-3]", R"({"tokens": [1, 2, -3]})",
                           R"({"text": "x", "ids": [{"id": 1, "piece": "a"}, {"id": 2}, {"id": -3}]})",
                           R"({"input_ids": [[1, 2, -3]]})"})
    EXPECT_EQ(parse_token_dump(text, "dump"), ids) << text;
  EXPECT_THAT(parse_token_dump("", "dump"), testing::IsEmpty());
  for (const char* text :
       {"1,2x", "[1,", "[1.5]", "[1e99]", "[99999999999]", "[18446744073709551615]", "3000000000", "--1",
        "{}", "[\"a\"]", "[[1],[2]]", "null", "[[[[[[[[[[1]]]]]]]]]]", R"({"ids": 3})"})
    EXPECT_THROW(parse_token_dump(text, "dump"), UsageError) << text;
}

}  // namespace
}  // namespace assay
