#include <bench/harness/break_even.hpp>

#include <gtest/gtest.h>

namespace swage::bench {
namespace {

// `n` steps of the same time.
void observe(BreakEven& watched, int n, double microseconds, bool compiled, double compile_ms_total) {
  for (int i = 0; i < n; ++i) watched.observe(microseconds, compiled, compile_ms_total);
}

TEST(BreakEven, IsWhereTheSavingsReachTheCost) {
  BreakEven watched;
  observe(watched, 10, 1000, false, 0);
  observe(watched, 4, 500, true, 2.5);  // saves half a millisecond a step
  EXPECT_FALSE(watched.step());
  observe(watched, 1, 500, true, 2.5);
  EXPECT_EQ(watched.step(), 15);
  observe(watched, 5, 500, true, 2.5);
  EXPECT_EQ(watched.step(), 15);
}

TEST(BreakEven, IsLostWhenMoreIsCompiled) {
  BreakEven watched;
  observe(watched, 10, 1000, false, 0);
  observe(watched, 10, 500, true, 2.5);
  ASSERT_TRUE(watched.step());
  observe(watched, 1, 500, true, 50);
  EXPECT_FALSE(watched.step());
}

TEST(BreakEven, NeverComesWhereStepsGainNothing) {
  BreakEven watched;
  observe(watched, 10, 1000, false, 0);
  observe(watched, 1000, 1001, true, 1);
  EXPECT_FALSE(watched.step());
}

}  // namespace
}  // namespace swage::bench
