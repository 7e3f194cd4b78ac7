// Paths that are left in many ways: windows end there, and what stands before and behind is known by itself.
#include <algorithm>

#include <runtime/core/error.hpp>
#include <runtime/core/split_mix.hpp>
#include <runtime/engine/event_log.hpp>
#include <test/runtime/fakes.hpp>

namespace swage::fake {
namespace {

// What a program added to the counts.
template <class F>
EngineStats added_by(F&& f) {
  const EngineStats before = engine_stats();
  f();
  EngineStats after = engine_stats();
  after.ops -= before.ops;
  after.compiled_ops -= before.compiled_ops;
  after.windows -= before.windows;
  after.hits -= before.hits;
  after.traces -= before.traces;
  return after;
}

class ForksTest : public EngineTest {
 protected:
  // Events of this test.
  std::ptrdiff_t count(EventCode code) const {
    return std::ranges::count_if(event_log().events(),
                                 [&](const Event& event) { return event.ns >= since_ && event.code == code; });
  }

  const std::uint64_t since_ = nanoseconds_since_start();
  const Array a_{Array({4}, {1, 2, 3, 4})}, b_{Array({4}, {.5f, .25f, 2, 1})};
  float novel_ = 2;

  // `n` ops on z.
  Array stretch(Array z, int n) const {
    for (int k = 0; k < n; ++k) z = k % 2 ? z * b_ : z + a_;
    return z;
  }
  // An op that was never seen before, for its literal is in the key.
  Array never_seen(const Array& z) { return with_literal(Op::mul, z, novel_ += 1); }
  // A window whose path may be left after eight ops.
  std::vector<float> run(bool leaves) {
    Array z = stretch(a_, 8);
    z = leaves ? never_seen(z) : -z;
    step();
    return z.read();
  }
};

TEST_F(ForksTest, APathThatIsLeftInManyWaysEndsThere) {
  for (int i = 0; i < 6; ++i) run(false);
  for (int i = 0; i < 12; ++i) run(true);
  EXPECT_EQ(count(EventCode::forked), 1);
  // The eight ops before the fork run as a plan.
  const auto more = added_by([&] {
    for (int i = 0; i < 10; ++i) run(true);
  });
  EXPECT_EQ(more.compiled_ops, 80u);
  EXPECT_EQ(more.ops, 90u);
  EXPECT_EQ(more.windows, 20u);
}

TEST_F(ForksTest, AsLongAsMostStayOnThePathItIsRunWhole) {
  for (int i = 0; i < 100; ++i) run(i % 10 == 9);
  const auto staying = added_by([&] {
    for (int i = 0; i < 9; ++i) run(false);
  });
  EXPECT_EQ(staying.windows, 9u);
  EXPECT_EQ(staying.hits, 9u);
  const auto leaving = added_by([&] { run(true); });
  EXPECT_EQ(leaving.windows, 2u);
  EXPECT_EQ(leaving.compiled_ops, 8u);
}

TEST_F(ForksTest, ConditionalsTakeAPlanForEachWayAndNotForEachCombination) {
  constexpr int kConditionals = 10;
  const auto run = [&](unsigned taken) {
    Array z = a_;
    for (int k = 0; k < kConditionals; ++k) {
      z = with_literal(Op::mul, stretch(z, 4 + k % 3), 1 + k * .125);  // each stretch its own
      if (taken >> k & 1) z = -(z + b_) * a_;
    }
    step();
    return z.read();
  };
  std::uint64_t state = 3;
  const auto draw = [&] { return static_cast<unsigned>(split_mix(state) >> 40) % (1u << kConditionals); };
  const auto learned = added_by([&] {
    for (int i = 0; i < 600; ++i) run(draw());
  });
  const auto then = added_by([&] {
    for (int i = 0; i < 100; ++i) run(draw());
  });
  EXPECT_LE(learned.traces, 10u * kConditionals);  // of a thousand combinations
  EXPECT_GT(static_cast<double>(then.compiled_ops), .95 * static_cast<double>(then.ops));
}

TEST_F(ForksTest, TheBitsAreThoseOfEager) {
  const auto plans = expect_same_in_all_tiers(200, [&](int i) {
    std::uint64_t state = static_cast<std::uint64_t>(i) + 1;
    const unsigned taken = static_cast<unsigned>(split_mix(state) >> 32);
    Array kept, written = a_ + b_, z = a_;
    for (int k = 0; k < 6; ++k) {
      z = stretch(z, 5);
      if (taken >> k & 1) {
        if (k == 2) kept = z;
        if (k == 3) in_place(Op::add, written, z);
        if (k == 4) z = z * draw({4});
        z = -z + narrow(written, 0, 0, 4);
      }
      in_place(Op::mul, written, b_);
    }
    step();
    auto out = z.read();
    for (const Array& each : {kept, written})
      if (each.get())
        for (float x : each.read()) out.push_back(x);
    return out;
  });
  EXPECT_GT(plans, 200u);
}

TEST_F(ForksTest, AForkBehindWhichTheSameAlwaysFollowsIsClosed) {
  for (int i = 0; i < 4; ++i) run(false);
  for (int i = 0; i < 20; ++i) run(true);
  const auto open = added_by([&] {
    for (int i = 0; i < 10; ++i) run(false);
  });
  EXPECT_EQ(open.windows, 20u);
  for (int i = 0; i < 300; ++i) run(false);
  EXPECT_EQ(count(EventCode::closed), 1);
  const auto whole = added_by([&] {
    for (int i = 0; i < 10; ++i) run(false);
  });
  EXPECT_EQ(whole.windows, 10u);
  EXPECT_EQ(whole.hits, 10u);
}

TEST_F(ForksTest, AFewOpsMakeNoStem) {
  for (int i = 0; i < 6; ++i) {
    const Array z = -stretch(a_, 3);
    step();
  }
  for (int i = 0; i < 20; ++i) {
    const Array z = never_seen(stretch(a_, 3));
    step();
  }
  EXPECT_EQ(count(EventCode::forked), 0);
}

TEST_F(ForksTest, AnErrorAtAForkIsRaisedWhereEagerWouldRaiseIt) {
  for (int i = 0; i < 6; ++i) run(false);
  for (int i = 0; i < 12; ++i) run(true);
  const Array wrong({3}, {1, 2, 3});
  const Array z = stretch(a_, 8);
  EXPECT_THROW(z + wrong, ShapeError);
  const Array after = -z;
  step();
  EXPECT_EQ(after.read(), run(false));
}

}  // namespace
}  // namespace swage::fake
