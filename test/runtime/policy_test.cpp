// Policy: what is compiled and when, what is shelved, what is sat out.
#include <runtime/engine/policy.hpp>

#include <algorithm>

#include <gtest/gtest.h>

#include <runtime/engine/event_log.hpp>
#include <test/runtime/fakes.hpp>

namespace swage::fake {
namespace {

// Short pauses are always allowed, and those that the step gets back; longer ones are for what is rare, such as a growth.
TEST(Policy, Pauses) {
  EXPECT_TRUE(may_pause(2e5, 0, 1e12, 0));
  EXPECT_TRUE(may_pause(9e5, 8e5, 1e12, 0));
  EXPECT_TRUE(may_pause(1e6, 0, 0, 0));
  EXPECT_FALSE(may_pause(1e6, 0, 2.5e6, 0));
  EXPECT_TRUE(may_pause(1e6, 0, 2.5e6, 1e8));
  EXPECT_FALSE(may_pause(4e6, 0, 0, 1e12));
}

TEST(Policy, PausesAreShortAndRare) {
  EXPECT_TRUE(affords_pause(2e6, 0, 0));
  EXPECT_FALSE(affords_pause(4e6, 0, 1e12));  // longer than a frame may be held up
  EXPECT_FALSE(affords_pause(2e6, 2e6, 0));
  EXPECT_TRUE(affords_pause(2e6, 2e6, 1e8));  // a hundredth of what has passed since
}

TEST(Policy, AStreamIsSteadyAfterManyHitsInARow) {
  Steadiness steadiness;
  for (int i = 0; i < 31; ++i) steadiness.hit();
  EXPECT_FALSE(steadiness.missed());
  for (int i = 0; i < 64; ++i) steadiness.hit();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(steadiness.missed()) << i;  // a few may be new in a row
  EXPECT_FALSE(steadiness.missed());
  for (int i = 0; i < 1000; ++i) steadiness.hit();
  steadiness.forked();
  EXPECT_FALSE(steadiness.missed());
}

TEST(Policy, StartingTheCompilerIsNoStructuresDebt) {
  EXPECT_EQ(structures_share(3e8, 60, true), predicted_compile_ns(60));
  EXPECT_EQ(structures_share(5e6, 60, true), 5e6);
  EXPECT_EQ(structures_share(3e8, 60, false), 3e8);
}

TEST(Policy, CompilesWhenThePredictedSavingHasPaidForIt) {
  EngineOptions options;
  TraceHistory history;
  history.ops = 10;
  history.eager_ns = 100'000;
  history.runs = 2;
  EXPECT_EQ(decide(history, options, {}, {}, 0), Decision::none);
  const double needed = predicted_compile_ns(history.ops) / predicted_saving_ns(history);
  history.runs = static_cast<std::uint64_t>(needed) - 1;
  EXPECT_EQ(decide(history, options, {}, {}, 0), Decision::none);
  history.runs = static_cast<std::uint64_t>(needed) + 1;
  EXPECT_EQ(decide(history, options, {}, {}, 0), Decision::compile);
  history.requested = true;
  EXPECT_EQ(decide(history, options, {}, {}, 0), Decision::none);
  history.escapes_grew = true;
  EXPECT_EQ(decide(history, options, {}, {}, 0), Decision::compile);
  history.compilable = false;
  EXPECT_EQ(decide(history, options, {}, {}, 0), Decision::none);
  history.compilable = true;
  options.tier = Tier::traced;
  EXPECT_EQ(decide(history, options, {}, {}, 0), Decision::none);
}

TEST(Policy, EachFailureDoublesTheWait) {
  EngineOptions options;
  options.weigh_cost = false;
  TraceHistory history;
  history.ops = 1;
  history.failures = 3;
  history.runs_at_last_request = 100;
  history.runs = 100 + options.runs_before_compiling * 8 - 1;
  EXPECT_EQ(decide(history, options, {}, {}, 0), Decision::none);
  ++history.runs;
  EXPECT_EQ(decide(history, options, {}, {}, 0), Decision::compile);
}

TEST(Backoff, SitsOutMoreTheLongerNothingComesOfIt) {
  Backoff backoff;
  const auto attempts = [&](int windows) {
    int tried = 0;
    for (int i = 0; i < windows; ++i)
      if (!backoff.skip()) {
        ++tried;
        backoff.failed();
      }
    return tried;
  };
  EXPECT_EQ(attempts(15), 15);
  attempts(2000);
  EXPECT_LT(attempts(1000), 60);
  for (int i = 0; i < 200 && backoff.skip(); ++i) {
  }
  backoff.succeeded();
  EXPECT_EQ(attempts(10), 10);
}

TraceHistory hot() {
  TraceHistory history;
  history.ops = 10;
  history.eager_ns = 100'000;
  history.runs = 1'000'000;
  return history;
}

TEST(Policy, AStructureThatOwesForEarlierCompilationsMustEarnThemToo) {
  const EngineOptions options;
  TraceHistory history = hot();
  Ledger structure;
  structure.spent(5e6);
  structure.spent(5e6);
  const double saving = predicted_saving_ns(history);
  history.runs = static_cast<std::uint64_t>(6e6 / saving);  // its own cost, not the 10 ms that are owed
  EXPECT_EQ(decide(history, options, structure, {}, 0), Decision::held_back);
  history.runs = static_cast<std::uint64_t>(16e6 / saving);
  EXPECT_EQ(decide(history, options, structure, {}, 0), Decision::compile);
  history.runs = static_cast<std::uint64_t>(6e6 / saving);
  structure.saved_ns = 10e6;  // the earlier plans have paid
  EXPECT_EQ(decide(history, options, structure, {}, 0), Decision::compile);
}

TEST(Policy, AllCompilationsTogetherMayOweAShareOfTheTimeThatHasPassed) {
  const EngineOptions options;
  const TraceHistory history = hot();
  Ledger stream;
  stream.spent(0.6e9);
  EXPECT_EQ(decide(history, options, {}, stream, 1e9), Decision::held_back);
  EXPECT_EQ(decide(history, options, {}, stream, 10e9), Decision::compile);
  stream.saved_ns = 0.5e9;
  EXPECT_EQ(decide(history, options, {}, stream, 1e9), Decision::compile);
}

TEST(Policy, OnlyAPlanThatIsClearlySlowerDoesNotPay) {
  TraceHistory history = hot();
  history.eager_best_ns = 100'000;
  history.timed_runs = 2;
  EXPECT_TRUE(does_not_pay(history, {120'000, kTimedRuns}));
  EXPECT_FALSE(does_not_pay(history, {105'000, kTimedRuns}));
  EXPECT_FALSE(does_not_pay(history, {120'000, kTimedRuns - 1}));
  history.timed_runs = 1;
  EXPECT_FALSE(does_not_pay(history, {120'000, kTimedRuns}));
  history.timed_runs = 2;
  history.eager_best_ns = 100;
  EXPECT_FALSE(does_not_pay(history, {1'000, kTimedRuns}));
}

TEST(Policy, EachShelvingWaitsLongerAndTheFifthIsTheLast) {
  TraceHistory history;
  std::uint64_t wait = 0;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(shelve(history));
    EXPECT_GT(history.resume_at - history.runs, wait);
    wait = history.resume_at - history.runs;
  }
  EXPECT_FALSE(shelve(history));
}

std::ptrdiff_t count(EventCode code) { return std::ranges::count(event_log().events(), code, &Event::code); }

class PolicyTest : public EngineTest {
 protected:
  PolicyTest() {
    EngineOptions options = eager_to_compile();
    options.weigh_cost = true;
    options.clock = &fake_clock;
    set_engine_options(options);
  }

  // A window of 20 adds on a shape.
  static void run(std::int64_t extent, int times) {
    const Array a({extent}, std::vector<float>(static_cast<std::size_t>(extent), 1));
    Array b;
    for (int i = 0; i < times; ++i) {
      b = a;
      for (int k = 0; k < 20; ++k) b = b + a;
      step();
    }
    ASSERT_EQ(b.read()[0], 21);
  }
};

TEST_F(PolicyTest, APlanSlowerThanItsKernelsIsShelvedAndTriedAgain) {
  const auto shelved = count(EventCode::shelved), resumed = count(EventCode::resumed);
  control().plan_ns = 30'000;  // 20 kernels take 20 µs
  run(2, 2000);
  EXPECT_GT(count(EventCode::shelved), shelved);
  control().plan_ns = 10'000;
  run(2, 100'000);
  EXPECT_GT(count(EventCode::resumed), resumed);
  const auto so_far = count(EventCode::shelved);
  const auto ran = control().plans_run;
  run(2, 1000);
  EXPECT_EQ(control().plans_run, ran + 1000);
  EXPECT_EQ(count(EventCode::shelved), so_far);
}

// What was deferred and then ran one by one is part of a window's eager time.
TEST_F(PolicyTest, APlanIsJudgedByWholeWindows) {
  const auto shelved = count(EventCode::shelved);
  control().plan_ns = 19'000;
  run(2, 1000);  // a path of 20 adds, and the same with 5 products behind it
  const Array a({2}, {1, 1});
  Array b;
  for (int i = 0; i < 2000; ++i) {
    b = a;
    for (int k = 0; k < 20; ++k) b = b + a;
    for (int k = 0; k < 5; ++k) b = b * a;
    step();
  }
  EXPECT_EQ(b.read()[0], 21);
  EXPECT_EQ(count(EventCode::shelved), shelved);
}

TEST_F(PolicyTest, APlanThatNeverPaysIsGivenUpInTheEnd) {
  const auto refused = count(EventCode::refused);
  control().plan_ns = 30'000;
  run(2, 200'000);
  EXPECT_EQ(count(EventCode::refused), refused + 1);
  EXPECT_EQ(control().plans_run, 5u * kTimedRuns);
}

TEST_F(EngineTest, WhereLessEscapesForLongATightPlanWritesThatAlone) {
  const Array a({4}, {1, 2, 3, 4});
  Array kept;
  const auto run = [&](bool keep) {
    Array result;
    {
      const Array b = a + a;
      if (keep) kept = b;
      result = -(b * a);
    }
    step();
    EXPECT_EQ(result.read()[3], -32);
  };
  for (int i = 0; i < 10; ++i) run(true);
  EXPECT_EQ(control().escapes_written, 2u);
  kept = Array();
  for (int i = 0; i < 90; ++i) run(false);
  EXPECT_EQ(control().escapes_written, 1u);
  const auto compiled = engine_stats().compiles;
  run(true);  // the wide plan is there for the day it is kept again
  EXPECT_EQ(control().escapes_written, 2u);
  EXPECT_EQ(kept.read()[3], 8);
  EXPECT_EQ(engine_stats().compiles, compiled);
}

TEST_F(PolicyTest, ShapesThatKeepChangingDoNotStartAStormOfCompilations) {
  control().compile_ns = 5'000'000;
  const auto storms = count(EventCode::storm);
  const auto before = engine_stats().compiles;
  for (std::int64_t extent = 1; extent <= 30; ++extent) run(extent, 1000);  // each earns 7.6 ms
  EXPECT_GT(count(EventCode::storm), storms);
  EXPECT_LT(engine_stats().compiles - before, 10u);
}

TEST_F(PolicyTest, ShapesWhoseCompilationsPayAreAllCompiled) {
  const auto before = engine_stats().compiles;
  for (std::int64_t extent = 1; extent <= 30; ++extent) run(extent, 2000);
  EXPECT_EQ(engine_stats().compiles - before, 30u);
}

}  // namespace
}  // namespace swage::fake
