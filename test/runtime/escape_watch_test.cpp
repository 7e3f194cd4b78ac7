// What becomes of the results that plans write out: read, dropped unread, or still held.
#include <thread>

#include <gtest/gtest.h>

#include <runtime/engine/stream_impl.hpp>
#include <test/runtime/fakes.hpp>

namespace swage::fake {
namespace {

class EscapeWatchTest : public EngineTest {
 protected:
  // What `program` has added to the sums, and how many windows ran as plans.
  static runlog::EscapeFigures watch(const std::function<std::vector<float>(int)>& program, std::uint64_t& plans) {
    set_engine_options(eager_to_compile());
    forget_traces();
    step();
    const EscapeWatch& watch = this_stream->impl().watch;
    const runlog::EscapeFigures before = watch.sums();
    control().plans_run = 0;
    for (int i = 0; i < 400; ++i) program(i);
    step();
    plans = control().plans_run;
    this_stream->impl().watch.sweep();
    runlog::EscapeFigures sums = watch.sums();
    sums.watched -= before.watched;
    sums.read -= before.read;
    sums.dropped_by_tape -= before.dropped_by_tape;
    sums.dropped -= before.dropped;
    return sums;
  }
  const Array x = Array({2, 3}, {1, 2, 3, 4, 5, 6});
  std::uint64_t plans = 0;
};

TEST_F(EscapeWatchTest, WhatIsDroppedUnreadIsCounted) {
  const auto sums = watch(
      [&](int) {
        const Array held = x + x;
        step();
        return std::vector<float>();
      },
      plans);
  EXPECT_GT(plans, 300u);
  EXPECT_GE(sums.watched, 8u);
  EXPECT_EQ(sums.dropped, sums.watched);
  EXPECT_EQ(sums.read, 0u);
}

TEST_F(EscapeWatchTest, WhatALaterWindowReadsIsRead) {
  const auto sums = watch(
      [&](int) {
        const Array held = x + x;
        step();
        const Array next = held * held;
        step();
        return next.read();
      },
      plans);
  EXPECT_GT(plans, 300u);
  EXPECT_GE(sums.watched, 8u);
  EXPECT_EQ(sums.read, sums.watched);
}

TEST_F(EscapeWatchTest, WhatTheHostReadsIsRead) {
  const auto sums = watch([&](int) { return (x + x).read(); }, plans);
  EXPECT_GT(plans, 300u);
  EXPECT_GE(sums.watched, 8u);
  EXPECT_EQ(sums.read, sums.watched);
}

TEST_F(EscapeWatchTest, WhatAnotherThreadReadsIsRead) {
  for (const Tier tier : {Tier::eager, Tier::compiled}) {
    const auto sums = watch(
        [&](int i) {
          const Array held = x + x;
          step();
          if (this_stream->impl().watch.sums().watched == 0 || i % 64 > 5) return std::vector<float>();
          std::thread([&] {
            EngineOptions options = engine_options();
            options.tier = tier;
            set_engine_options(options);
            (held * held).read();
          }).join();
          set_engine_options(eager_to_compile());
          return std::vector<float>();
        },
        plans);
    EXPECT_GE(sums.watched, 4u);
    EXPECT_GE(sums.read, 3u) << sums.dropped;
  }
}

TEST_F(EscapeWatchTest, WhatTheTapeDropsIsCountedApart) {
  const auto sums = watch(
      [&](int) {
        Array held = x + x;
        step();
        tape_lets_go = true;
        held = {};
        tape_lets_go = false;
        return std::vector<float>();
      },
      plans);
  EXPECT_GE(sums.watched, 8u);
  EXPECT_EQ(sums.dropped_by_tape, sums.watched);
}

TEST_F(EscapeWatchTest, WhatPilesUpIsStillHeld) {
  std::vector<Array> all;
  const auto sums = watch(
      [&](int) {
        all.push_back(x + x);
        step();
        return std::vector<float>();
      },
      plans);
  EXPECT_GE(sums.watched, 8u);
  EXPECT_EQ(sums.read + sums.dropped + sums.dropped_by_tape, 0u);
  all.clear();
}

// What is held for good fills no table for good: others are watched later.
TEST_F(EscapeWatchTest, WhatPilesUpLeavesRoom) {
  std::vector<Array> all;
  watch(
      [&](int) {
        for (int k = 0; k < 60; ++k) all.push_back(x + x);
        step();
        return std::vector<float>();
      },
      plans);
  const auto sums = watch(
      [&](int) {
        const Array held = x * x;
        step();
        return std::vector<float>();
      },
      plans);
  EXPECT_GE(sums.watched, 8u);
  EXPECT_GE(sums.dropped, 4u);
}

}  // namespace
}  // namespace swage::fake
