// What learns by acting learns it, from whichever seed.
#include <gtest/gtest.h>

#include <test/bench/run_settings.hpp>

namespace swage::bench {
namespace {

TEST(Agents, the_pole_is_balanced_within_half_a_million_steps) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Report report = run_workload({.workload = "agent", .tier = RunTier::cold, .options = {.seed = seed}});
    EXPECT_LE(report.steps * 512, 500'000);
    EXPECT_GE(report.figures.at("mean_return"), 475) << "seed " << seed;
  }
}

TEST(Agents, the_pole_is_not_balanced_before) {
  const Report report = run_workload({.workload = "agent", .tier = RunTier::eager, .steps = 1});
  EXPECT_LT(report.figures.at("mean_return"), 300);
}

TEST(Agents, the_car_stays_on_tracks_that_it_has_not_seen) {
  const Report report = run_workload({.workload = "drive", .tier = RunTier::cold});
  EXPECT_GE(report.figures.at("tracks_stayed"), 9);
  EXPECT_GT(report.figures.at("speed"), 8);
  const Report untrained = run_workload({.workload = "drive", .tier = RunTier::eager, .steps = 1});
  EXPECT_LE(untrained.figures.at("tracks_stayed"), 1);
}

}  // namespace
}  // namespace swage::bench
