// Workloads on sentences: what they learn, what they read, and that batching changes nothing but rounding.
#include <fstream>
#include <unistd.h>
#include <utility>

#include <gtest/gtest.h>

#include <bench/workloads/sentences.hpp>
#include <test/bench/run_settings.hpp>

namespace swage::bench {
namespace {

class TextFile {
 public:
  explicit TextFile(const std::string& text) { std::ofstream(path) << text; }
  ~TextFile() { std::filesystem::remove(path); }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  const std::filesystem::path path = std::filesystem::temp_directory_path() / ("swage-text-" + std::to_string(getpid()));
};

std::string message_of(const TextFile& file) {
  try {
    read_tagged(file.path);
  } catch (const ValueError& error) {
    return error.what();
  }
  return "";
}

TEST(Sentences, AreReadWordByWord) {
  const TextFile file("Bread|O and|O wine|O\n\n  a|b|X\t|||Y\r\n");
  const std::vector<Sentence> sentences = read_tagged(file.path);
  ASSERT_EQ(sentences.size(), 2U);
  EXPECT_EQ(sentences[0].words, (std::vector<std::string>{"Bread", "and", "wine"}));
  EXPECT_EQ(sentences[1].words, (std::vector<std::string>{"a|b", "||"}));
  EXPECT_EQ(sentences[1].tags, (std::vector<std::string>{"X", "Y"}));
  EXPECT_EQ(read_sentences(file.path)[1].words, (std::vector<std::string>{"a|b|X", "|||Y"}));
}

TEST(Sentences, WhatIsNotTaggedIsNamedWithItsLine) {
  for (const char* token : {"wine", "|O", "wine|"})
    EXPECT_NE(message_of(TextFile("Bread|O\nand|O " + std::string(token) + "\n")).find(":2 has '" + std::string(token) + "'"),
              std::string::npos)
        << token;
  EXPECT_NE(message_of(TextFile("\n\n")).find("no sentences"), std::string::npos);
  EXPECT_THROW(read_sentences("/nowhere/sentences.txt"), IoError);
}

TEST(Tagger, LearnsItsSentences) {
  for (const char* workload : {"tagger", "char_tagger"}) {
    const Report report = run_workload({.workload = workload, .tier = RunTier::cold, .steps = 200, .options = {.bulk = 24}});
    EXPECT_LT(*report.loss_last, *report.loss_first / 4) << workload;
    EXPECT_GT(report.figures.at("accuracy"), 0.7) << workload;
  }
}

TEST(Tagger, SpellingIsOfUseWhereWordsAreRare) {
  const auto loss_of = [](const char* workload) {
    return *run_workload({.workload = workload, .tier = RunTier::eager, .steps = 200, .options = {.bulk = 24}}).loss_last;
  };
  EXPECT_LT(loss_of("char_tagger"), loss_of("tagger") * 0.5);
}

TEST(Tagger, WithoutBatchingItDiffersByRounding) {
  for (const char* workload : {"tagger", "char_tagger"}) {
    RunSettings settings{.workload = workload, .tier = RunTier::eager, .steps = 5, .options = {.bulk = 8}};
    const Report together = run_workload(settings);
    settings.no_batch = true;
    const Report alone = run_workload(settings);
    ASSERT_EQ(together.first_losses.size(), 5U);
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_NEAR(alone.first_losses[i], together.first_losses[i], 1e-4 * together.first_losses[i])
          << workload << ", step " << i;
    EXPECT_GT(alone.ops_per_step, 2 * together.ops_per_step);
  }
}

// Warm runs are given little time: new sizes of groups come up for long.
TEST(Text, TiersAgreeAndARunGoesOn) {
  const EagerToCompile eager_to_compile;
  const auto file = std::filesystem::temp_directory_path() / ("swage-text-run-" + std::to_string(getpid()));
  for (const SmallRun& run : {SmallRun{.workload = "tagger", .steps = 24},
                              SmallRun{.workload = "tagger", .steps = 8, .options = {.bulk = 8}, .label = "tagger, bulk"},
                              SmallRun{.workload = "char_tagger", .steps = 8, .options = {.bulk = 4}}}) {
    RunSettings settings = run.settings(RunTier::eager);
    settings.warm_up_seconds = 1;
    const std::string eager = run_workload(settings).digest;
    for (const RunTier tier : {RunTier::traced, RunTier::cold, RunTier::warm}) {
      settings.tier = tier;
      const Report report = run_workload(settings);
      EXPECT_EQ(report.digest, eager) << run << ", " << report.tier;
      EXPECT_GE(report.compiled_op_share, tier == RunTier::warm ? 0.1 : 0) << run;
    }
    settings.tier = RunTier::cold;
    settings.steps /= 2;
    settings.save = file;
    run_workload(settings);
    settings.load = std::exchange(settings.save, {});
    EXPECT_EQ(run_workload(settings).digest, eager) << run;
  }
  std::filesystem::remove(file);
}

TEST(Tagger, UnitsAreTheWordsOfTheStepsThemselves) {
  for (const std::int64_t bulk : {1, 8}) {
    const WorkloadOptions options{.bulk = bulk, .rehearsal = true};
    manual_seed(1);
    const auto workload = find_workload("tagger")->make(options);
    std::int64_t least = 1000, most = 0, all = 0;
    for (int i = 0; i < 24 / bulk; ++i) {
      workload->step();
      least = std::min(least, workload->units_per_step());
      most = std::max(most, workload->units_per_step());
      all += workload->units_per_step();
    }
    EXPECT_EQ(all, 221) << "one epoch of the sentences that it brings along";
    EXPECT_LT(least, most);
  }
}

}  // namespace
}  // namespace swage::bench
