#include <fstream>
#include <unistd.h>

#include <gtest/gtest.h>

#include <test/bench/run_settings.hpp>

namespace swage::bench {
namespace {

class StopAndGo : public testing::TestWithParam<SmallRun> {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }
  std::filesystem::path file_ = std::filesystem::temp_directory_path() / ("swage-stop-and-go-" + std::to_string(getpid()));
};

TEST_P(StopAndGo, TwoHalvesAreTheWhole) {
  const EagerToCompile eager_to_compile;
  const SmallRun& run = GetParam();
  for (RunTier tier : {RunTier::eager, RunTier::cold, RunTier::warm}) {
    const RunSettings whole = run.settings(tier);
    RunSettings first = whole, second = whole;
    first.steps = second.steps = whole.steps / 2;
    first.save = second.load = file_;
    run_workload(first);
    EXPECT_EQ(run_workload(second).digest, run_workload(whole).digest) << run << ", tier " << static_cast<int>(tier);
  }
}

TEST_P(StopAndGo, AnotherWorkloadsFileIsRefused) {
  RunSettings settings = GetParam().settings(RunTier::eager);
  settings.steps = 1;
  settings.save = file_;
  run_workload(settings);
  settings.save.clear();
  settings.load = file_;
  settings.workload = settings.workload == "chain" ? "pointwise" : "chain";
  EXPECT_THROW(run_workload(settings), IoError);
}

INSTANTIATE_TEST_SUITE_P(Workloads, StopAndGo, testing::ValuesIn(small_runs()),
                         [](const auto& run) { return run.param.name(); });

TEST(Checkpoint, AFileThatIsNoRunIsRefused) {
  const auto file = std::filesystem::temp_directory_path() / ("swage-no-run-" + std::to_string(getpid()));
  RunSettings settings = small_runs().front().settings(RunTier::eager);
  settings.load = file;
  EXPECT_THROW(run_workload(settings), IoError) << "missing";
  std::ofstream(file) << "not a safetensors file";
  EXPECT_THROW(run_workload(settings), IoError) << "garbage";
  save_safetensors(file.string(), {{"x", zeros({2})}});
  EXPECT_THROW(run_workload(settings), IoError) << "a model, not a run";
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace swage::bench
