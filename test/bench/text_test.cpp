// Workloads on sentences: what they learn, what they read, and that batching changes nothing but rounding.
#include <cmath>
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

TEST(Text, WithoutBatchingItDiffersByRounding) {
  for (const char* workload : {"tagger", "char_tagger", "ragged_attention"}) {
    RunSettings settings{.workload = workload, .tier = RunTier::eager, .steps = 5, .options = {.bulk = 8}};
    const Report together = run_workload(settings);
    settings.no_batch = true;
    const Report alone = run_workload(settings);
    ASSERT_EQ(together.first_losses.size(), 5U);
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_NEAR(alone.first_losses[i], together.first_losses[i], 1e-4 * together.first_losses[i])
          << workload << ", step " << i;
    EXPECT_NEAR(alone.first_output, together.first_output, 1e-4 * together.first_output) << workload;
    EXPECT_GT(alone.ops_per_step, 1.2 * together.ops_per_step);
  }
}

// Padding would show: it changes the losses, and the words of an epoch.
TEST(Rnnlm, ABatchIsTheSumOfItsSentences) {
  const auto epoch = [](std::int64_t batch, std::int64_t steps) {
    manual_seed(1);
    const auto workload = find_workload("rnnlm")->make({.batch = batch, .rehearsal = true});
    const WorkloadState before = workload->state();
    std::vector<Tensor> first;
    for (const auto& [name, tensor] : before.tensors) first.push_back(tensor.clone());
    std::pair<double, std::int64_t> sum;
    for (std::int64_t i = 0; i < steps; ++i) {
      sum.first += workload->step().loss.item();
      sum.second += workload->units_per_step();
      const NoGradGuard no_grad;  // as if it had not learned
      for (std::size_t k = 0; k < first.size(); ++k) before.tensors[k].second.copy_(first[k]);
    }
    return sum;
  };
  const auto whole = epoch(24, 1), parts = epoch(8, 3), alone = epoch(1, 24);
  EXPECT_EQ(whole.second, 221 + 24) << "words and ends";
  EXPECT_EQ(parts.second, whole.second);
  EXPECT_EQ(alone.second, whole.second);
  EXPECT_NEAR(parts.first, whole.first, 1e-4 * whole.first);
  EXPECT_NEAR(alone.first, whole.first, 1e-4 * whole.first);
}

TEST(Rnnlm, LearnsItsSentences) {
  const Report report = run_workload({.workload = "rnnlm", .tier = RunTier::cold, .steps = 50, .options = {.batch = 24}});
  EXPECT_LT(*report.loss_last, *report.loss_first / 4);
  EXPECT_LT(report.figures.at("perplexity"), 60) << "of some ninety words";
}

TEST(RaggedAttention, LengthsFollowZipfsLaw) {
  const auto workload = find_workload("ragged_attention")->make({.seed = 5});
  constexpr int kSteps = 40;
  double tokens = 0, weights = 0, expected = 0;
  for (int i = 0; i < kSteps; ++i) {
    workload->step();
    EXPECT_GE(workload->units_per_step(), 32);
    EXPECT_LE(workload->units_per_step(), 32 * 256);
    tokens += static_cast<double>(workload->units_per_step());
  }
  for (int length = 1; length <= 256; ++length) {
    weights += std::pow(length, -1.2);
    expected += std::pow(length, -0.2);
  }
  EXPECT_NEAR(tokens / kSteps / 32, expected / weights, 5) << "the mean of a length";
}

// Warm runs are given little time: new sizes of groups come up for long.
TEST(Text, TiersAgreeAndARunGoesOn) {
  const EagerToCompile eager_to_compile;
  const auto file = std::filesystem::temp_directory_path() / ("swage-text-run-" + std::to_string(getpid()));
  for (const SmallRun& run : {SmallRun{.workload = "tagger", .steps = 24},
                              SmallRun{.workload = "tagger", .steps = 8, .options = {.bulk = 8}, .label = "tagger, bulk"},
                              SmallRun{.workload = "char_tagger", .steps = 8, .options = {.bulk = 4}},
                              SmallRun{.workload = "rnnlm", .steps = 12, .options = {.batch = 4}},
                              SmallRun{.workload = "ragged_attention", .steps = 8}}) {
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
