// A window that is new to a program which otherwise repeats itself: it gets a plan of what code there is when it is first seen, whose
// other ops kernels run until they are hot.
#include <utility>
#include <vector>

#include <test/runtime/fakes.hpp>

namespace swage::fake {
namespace {

class FirstSight : public EngineTest {
 protected:
  // Twenty adds have a plan; from now on cost counts, and of what comes next all but three ops have code.
  FirstSight() {
    run(0, 4);
    EngineOptions options = eager_to_compile();
    options.weigh_cost = true;
    options.clock = &fake_clock;
    set_engine_options(options);
    control().pending_ops = 3;
    control().now_ns = 10'000'000'000;  // pauses of 100 ms are no share of that
  }

  // A window of 20 adds and as many changes of sign as `negated` says.
  static void run(int negated, int times = 1) {
    for (int i = 0; i < times; ++i) {
      const Array a({2}, {1, 2});
      Array b = a;
      for (int k = 0; k < 20; ++k) b = b + a;
      for (int k = 0; k < negated; ++k) b = -b;
      step();
      ASSERT_EQ(b.read()[1], negated % 2 ? -42 : 42);
    }
  }

  struct Counts {
    std::uint64_t ops, compiled_ops, hits, assembled, compiles;
  };
  // What running so adds.
  static Counts counts(int negated, int times = 1) {
    const EngineStats before = engine_stats();
    run(negated, times);
    const EngineStats after = engine_stats();
    return {after.ops - before.ops, after.compiled_ops - before.compiled_ops, after.hits - before.hits,
            after.assembled - before.assembled, after.compiles - before.compiles};
  }
};

TEST_F(FirstSight, GivesAPlanThatLeavesSomeOpsToTheirKernels) {
  run(0, 40);
  const Counts first = counts(4);
  EXPECT_EQ(first.hits, 0u);
  EXPECT_EQ(first.compiled_ops, 0u);
  EXPECT_EQ(first.assembled, 1u);
  const Counts second = counts(4);
  EXPECT_EQ(second.hits, 1u);
  EXPECT_EQ(second.ops, 24u);
  EXPECT_EQ(second.compiled_ops, 21u);
  EXPECT_EQ(second.compiles, 0u);
}

TEST_F(FirstSight, IsTooEarlyWhereWindowsKeepChanging) {
  run(0, 5);
  EXPECT_EQ(counts(4).assembled, 0u);
  run(0, 64);
  for (int negated = 5; negated < 12; ++negated) run(negated);  // steady no more
  EXPECT_EQ(counts(12).assembled, 0u);
}

TEST_F(FirstSight, WaitsWhereTheProgramWasHeldUpForLong) {
  run(0, 64);
  control().recall_ns = 300'000'000;
  EXPECT_EQ(counts(4).assembled, 1u);
  EXPECT_EQ(counts(5).assembled, 0u);
  control().now_ns += 40'000'000'000;
  EXPECT_EQ(counts(6).assembled, 1u);
}

TEST_F(FirstSight, IsFollowedByAllTheCodeOnceThatPays) {
  run(0, 40);
  run(4);
  control().pending_ops = 0;
  control().plan_ns = 20'000;
  const Counts hot = counts(4, 3000);
  EXPECT_EQ(hot.compiles, 1u);
  EXPECT_EQ(counts(4).compiled_ops, 24u);
}

TEST_F(FirstSight, FindsNoPlanWhereNothingIsKnown) {
  control().pending_ops = 0;
  run(0, 40);
  EXPECT_EQ(counts(4).assembled, 0u);
  EXPECT_EQ(counts(4).hits, 0u);
}

}  // namespace
}  // namespace swage::fake
