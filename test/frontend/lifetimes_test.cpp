// What keeps what alive: views, detached values and the tape.
#include <functional>

#include <gtest/gtest.h>

#include <swage/swage.hpp>
#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

// Bytes that live after each round, from the fifth on, are what they were.
void expect_flat(Tier tier, const std::function<void()>& round) {
  std::uint64_t live = 0;
  run_in(tier, [&](Notes&) {
    for (int i = 0; i < 40; ++i) {
      round();
      step();
      if (i == 10) live = memory_stats().live_bytes;
      if (i > 10) {
        ASSERT_LE(memory_stats().live_bytes, live) << "round " << i << " of tier " << static_cast<int>(tier);
      }
    }
  });
}

TEST(Lifetimes, a_detached_loop_keeps_no_tape) {
  for (const Tier tier : {Tier::eager, Tier::traced, Tier::compiled}) {
    const Tensor w = randn({16, 16}).requires_grad_();
    Tensor h = randn({4, 16}), other = h, row = h[0];
    expect_flat(tier, [&] { h = tanh(matmul(h, w)).detach(); });
    expect_flat(tier, [&] {
      other = tanh(matmul(other, w));
      {
        const NoGradGuard no_grad;
        row = other[1];  // the view of a tape's value, kept beyond it
      }
      other = other.detach();
      other.mul_(0.5);
    });
  }
}

TEST(Lifetimes, a_view_outlives_what_the_tape_made) {
  expect_same([](Notes& note) {
    const Tensor w = randn({6}).requires_grad_();
    for (int round = 0; round < 3 * 8; ++round) {
      Tensor y = exp(w * 0.5);
      const Tensor z = y * y, peek = y.detach();
      const Tensor stale = y[2];
      Tensor v = y.narrow(0, 1, 3);
      y = {};
      if (round % 3 == 1) v = {};
      sum(z).backward({}, true);
      note(w.grad()), note(peek);
      if (v.defined()) sum(v * 2).backward({}, true);
      note(w.grad());
      Tensor changed = w * 3;
      const Tensor old = changed[0];
      changed.mul_(2);
      changed = {};
      note.error([&] { note(old * 2); });  // a view from before the change, after the changed tensor went
      note(stale);
      w.set_grad({});
      step();
    }
  });
}

TEST(Lifetimes, tapes_that_hold_views_of_what_they_made) {
  for (const Tier tier : {Tier::eager, Tier::compiled}) {
    const Tensor w = randn({64}).requires_grad_();
    expect_flat(tier, [&] {
      const Tensor y = w * 2;
      const Tensor view = y.detach();
      y.mul_(view);  // the tape of y now saves a view of y
    });
  }
}

// Where windows end is nobody's business: what enters one is held by it too, and still counts as held by nobody else.
TEST(Lifetimes, whether_a_gradient_is_a_view_does_not_depend_on_windows) {
  const auto body = [](Notes& note) {
    const Tensor w = randn({3, 4}).requires_grad_(), other = randn({3, 4}).requires_grad_();
    for (int i = 0; i < 8; ++i) {
      const Tensor y = w.t();
      sum(tanh(tanh(tanh(y * 2) * 2) * 2)).backward();
      note.error([&] { w.grad().add_(other); });
      note(w.grad());
      w.set_grad({});
      step();
    }
  };
  const TierRun eager = run_in(Tier::eager, body);
  for (std::uint32_t limit = 2; limit < 24; ++limit) {
    EngineOptions options = options_of(Tier::compiled);
    options.soft_window_limit = options.hard_window_limit = limit;
    EXPECT_EQ(run_with(options, body).notes.difference(eager.notes), "") << limit;
  }
}

}  // namespace
}  // namespace swage::test
