// The promise: turning the compiler on changes no bit.
#include <gtest/gtest.h>

#include <test/bench/run_settings.hpp>

namespace swage::bench {
namespace {

class Tiers : public testing::TestWithParam<std::tuple<SmallRun, int>> {
 protected:
  void SetUp() override { manual_seed(0); }
};

TEST_P(Tiers, AllGiveTheSameBits) {
  const auto& [run, threads] = GetParam();
  const EagerToCompile eager_to_compile;
  const Report eager = run_workload(run.settings(RunTier::eager, threads));
  EXPECT_EQ(eager.traces, 0U);
  EXPECT_EQ(eager.compiles, 0U);
  EXPECT_EQ(eager.compiled_op_share, 0);

  const Report traced = run_workload(run.settings(RunTier::traced, threads));
  EXPECT_EQ(traced.digest, eager.digest);
  EXPECT_EQ(traced.traces > 0, run.repeats);
  EXPECT_EQ(traced.compiles, 0U);
  EXPECT_EQ(traced.compiled_op_share, 0);

  const Report cold = run_workload(run.settings(RunTier::cold, threads));
  EXPECT_EQ(cold.digest, eager.digest);

  const Report warm = run_workload(run.settings(RunTier::warm, threads));
  EXPECT_EQ(warm.digest, eager.digest);
  EXPECT_EQ(warm.first_compiled_step.has_value(), run.repeats);
  EXPECT_GE(warm.compiled_op_share, run.repeats ? 0.9 : 0);
  EXPECT_EQ(warm.hits > 0, run.repeats);

  EXPECT_EQ(cold.ops_per_step, eager.ops_per_step);
  EXPECT_EQ(warm.ops_per_step, eager.ops_per_step);
}

TEST_P(Tiers, AnotherSeedGivesOtherBits) {
  const auto& [run, threads] = GetParam();
  RunSettings settings = run.settings(RunTier::eager, threads);
  settings.steps = 2;
  const std::string one = run_workload(settings).digest;
  EXPECT_EQ(run_workload(settings).digest, one);
  ++settings.options.seed;
  EXPECT_NE(run_workload(settings).digest, one);
}

// A run that lasts a while goes on after the steps that its digest covers.
TEST_P(Tiers, ARunByTheClockHasTheDigestOfItsFirstSteps) {
  const auto& [run, threads] = GetParam();
  RunSettings settings = run.settings(RunTier::eager, threads);
  settings.steps = 3;
  const Report counted = run_workload(settings);
  settings.seconds = 0.01;
  const Report timed = run_workload(settings);
  EXPECT_EQ(timed.digest, counted.digest);
  EXPECT_GE(timed.steps, counted.steps);
}

INSTANTIATE_TEST_SUITE_P(Workloads, Tiers, testing::Combine(testing::ValuesIn(small_runs()), testing::Values(1, 2)),
                         [](const auto& run) {
                           return std::get<0>(run.param).name() + "_" + std::to_string(std::get<1>(run.param)) + "_threads";
                         });

}  // namespace
}  // namespace swage::bench
