#include <bench/harness/warm_up.hpp>

#include <gtest/gtest.h>

namespace swage::bench {
namespace {

using namespace std::chrono_literals;

// A run whose clock and counts the test moves.
class WarmUpTest : public testing::Test {
 protected:
  bool step(bool compiled) {
    now_ += 10ms;
    stats_.ops += 100;
    if (compiled) stats_.compiled_ops += 100;
    return warm_up_.done(stats_, now_);
  }
  // How many steps until it is done, at most `limit`.
  int steps_until_done(bool compiled, int limit = 100'000) {
    for (int i = 1; i <= limit; ++i)
      if (step(compiled)) return i;
    return limit;
  }

  WarmUp warm_up_{20};
  WarmUp::Clock::time_point now_{1s};
  EngineStats stats_;
};

TEST_F(WarmUpTest, EndsOnceCompiledCodeHasCarriedAQuietStretch) { EXPECT_LE(steps_until_done(true), 60); }

TEST_F(WarmUpTest, WaitsThroughStepsThatRunEagerly) {
  EXPECT_EQ(steps_until_done(false, 500), 500);
  EXPECT_LE(steps_until_done(true), 110);
}

TEST_F(WarmUpTest, StartsAnewWhenSomethingIsCompiled) {
  for (int i = 0; i < 45; ++i) ASSERT_FALSE(step(true));
  ++stats_.compiles;
  for (int i = 0; i < 45; ++i) ASSERT_FALSE(step(true)) << i;
}

TEST_F(WarmUpTest, StartsAnewWhenANewTraceAppears) {
  for (int i = 0; i < 45; ++i) ASSERT_FALSE(step(true));
  ++stats_.traces;
  for (int i = 0; i < 45; ++i) ASSERT_FALSE(step(true)) << i;
}

TEST_F(WarmUpTest, GivesUpAfterItsTime) {
  const int steps = steps_until_done(false);
  EXPECT_GE(steps, 1990);
  EXPECT_LE(steps, 2010);
}

}  // namespace
}  // namespace swage::bench
