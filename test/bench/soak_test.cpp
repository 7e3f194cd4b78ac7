#include <bench/soak/soak.hpp>

#include <gtest/gtest.h>

#include <bench/harness/runner.hpp>

namespace swage::bench {
namespace {

TEST(Soak, ReportsHowThingsStoodAfterTheWarmUpAndAtTheEnd) {
  const SoakFigures figures = run_soak({.seconds = 2, .warm_up_seconds = 1, .seed = 1, .size = "small"});
  EXPECT_GE(figures.last.seconds, 2);
  EXPECT_GE(figures.warm.seconds, 1);
  EXPECT_GT(figures.last.steps, figures.warm.steps);
  EXPECT_GT(figures.last.sizes, 10u);
  EXPECT_GT(figures.last.misses, 0u);
  EXPECT_GE(figures.most_resident_mib, figures.last.resident_mib);
  EXPECT_GT(figures.last.resident_mib, 1);
}

TEST(Soak, RandomBatchesGiveTheSameBitsInAllTiers) {
  for (const char* workload : {"digits", "transformer"}) {
    RunSettings settings;
    settings.workload = workload;
    settings.steps = 12;
    settings.options.size = "small";
    settings.options.random_batches = true;
    settings.tier = RunTier::eager;
    const auto digest = run_workload(settings).digest;
    settings.tier = RunTier::warm;
    settings.warm_up_seconds = 2;
    EXPECT_EQ(run_workload(settings).digest, digest) << workload;
    settings.options.random_batches = false;
    EXPECT_NE(run_workload(settings).digest, digest) << workload;
  }
}

}  // namespace
}  // namespace swage::bench
