#include <cmath>
#include <fstream>
#include <unistd.h>

#include <gtest/gtest.h>

#include <test/bench/run_settings.hpp>

namespace swage::bench {
namespace {

TEST(Workloads, AreFoundByName) {
  for (const WorkloadInfo& info : workloads()) EXPECT_EQ(find_workload(info.name), &info);
  EXPECT_EQ(find_workload("seed"), nullptr);
  EXPECT_THROW(run_workload({.workload = "seed"}), ValueError);
}

TEST(Workloads, RefuseWrongOptions) {
  for (const char* image : {"", "8", "8x8", "8x8x", "8x8x1x1", "0x8x1", "8x8xa", "8x8x-1"}) {
    RunSettings settings{.workload = "convnet", .tier = RunTier::eager, .steps = 1, .options = {.image = image}};
    EXPECT_THROW(run_workload(settings), ValueError) << image;
  }
  RunSettings settings{.workload = "pointwise", .tier = RunTier::eager, .steps = 1, .options = {.log2 = 40}};
  EXPECT_THROW(run_workload(settings), ValueError);
  settings.workload = "axpy";
  EXPECT_THROW(run_workload(settings), ValueError);
}

TEST(Workloads, TheMissingDataFileIsNamed) {
  RunSettings settings{.workload = "digits", .tier = RunTier::eager, .steps = 1};
  settings.options.data = "/nowhere";
  try {
    run_workload(settings);
    FAIL() << "nothing was raised";
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/digits.csv.gz"), std::string::npos) << error.what();
  }
}

TEST(Workloads, TheTreebankComesFromItsFolderOnly) {
  const auto folder = std::filesystem::temp_directory_path() / ("swage-ptb-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  RunSettings settings{.workload = "lstm_lm", .tier = RunTier::eager, .steps = 2, .options = {.size = "small"}};
  const double made_up = *run_workload(settings).loss_first;
  EXPECT_NEAR(made_up, std::log(10'000), 0.1) << "nothing can be learned from it";
  settings.options.data = folder;
  EXPECT_THROW(run_workload(settings), IoError);
  std::ofstream text(folder / "ptb.train.txt");
  for (int i = 0; i < 20; ++i) text << " the cat sat \n the dog ran far \n";
  text.close();
  settings.steps = 40;
  const Report report = run_workload(settings);
  EXPECT_NEAR(*report.loss_first, std::log(10'000), 0.1);
  EXPECT_LT(*report.loss_last, 5) << "six words and the ends of lines";
  std::ofstream(folder / "ptb.train.txt") << "too short";
  EXPECT_THROW(run_workload(settings), ValueError);
  std::filesystem::remove_all(folder);
}

TEST(Workloads, NovelNeverRepeats) {
  const Report report = run_workload({.workload = "novel", .tier = RunTier::traced, .steps = 300});
  EXPECT_EQ(report.hits, 0U);
  EXPECT_EQ(report.traces, 0U);
  EXPECT_GE(report.ops_per_step, 20);
  EXPECT_LE(report.ops_per_step, 80) << "inputs and views count";
}

TEST(Workloads, DigitsAreLearned) {
  double accuracy = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Report report = run_workload({.workload = "digits", .tier = RunTier::cold, .options = {.seed = seed}});
    accuracy += report.figures.at("accuracy") / 5;
  }
  EXPECT_GE(accuracy, 0.97);
}

TEST(Workloads, MemoryGrowsWithoutRecompilations) {
  const EagerToCompile eager_to_compile;
  const Report report = run_workload({.workload = "memory", .tier = RunTier::cold, .steps = 10'000});
  EXPECT_EQ(report.figures.at("rows"), 10'000);
  EXPECT_LE(report.compiles, 3U);
  EXPECT_LE(report.traces, 3U) << "the query, an answer, and one that is learned from";
  EXPECT_LE(report.misses, 20U);
  EXPECT_LT(report.figures.at("mean_loss_last"), 0.6 * report.figures.at("mean_loss_first"));
}

TEST(Workloads, OnlineIsTheSameThroughASocketAndRecoversFromDrifts) {
  RunSettings settings{.workload = "online", .tier = RunTier::cold, .steps = 60'000, .options = {.drift = 20'000}};
  const Report made = run_workload(settings);
  settings.options.source = "socket";
  const Report received = run_workload(settings);
  EXPECT_EQ(received.digest, made.digest);
  for (const std::string name : {"logistic", "net"}) {
    EXPECT_GT(made.figures.at(name + "_error_after"), 1.3 * made.figures.at(name + "_error_before")) << "it does drift";
    EXPECT_NEAR(made.figures.at(name + "_error_later"), made.figures.at(name + "_error_before"), 0.02) << name;
    EXPECT_LT(made.figures.at(name + "_back_after"), 20'000);
    EXPECT_EQ(received.figures.at(name + "_error_later"), made.figures.at(name + "_error_later"));
  }
  for (const Report& report : {made, received}) {
    EXPECT_GT(report.figures.at("served"), 10);
    EXPECT_EQ(report.figures.at("torn"), 0);
  }
}

TEST(Workloads, TheObserverSeesEveryStep) {
  std::int64_t seen = 0;
  run_workload({.workload = "chain", .tier = RunTier::eager, .steps = 7}, [&](const StepInfo& info) {
    EXPECT_FALSE(info.warming_up);
    EXPECT_EQ(info.step, ++seen);
    EXPECT_EQ(info.steps, 7);
    EXPECT_EQ(info.outputs.outputs.size(), 1U);
  });
  EXPECT_EQ(seen, 7);
}

}  // namespace
}  // namespace swage::bench
