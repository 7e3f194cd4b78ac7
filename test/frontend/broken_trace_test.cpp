// A hot training step of some thirty records is broken at every position, in every way that a program can break it: a foreign op, a
// read, an end of step, an exception, another handle kept. The bits stay those of eager.
#include <algorithm>
#include <functional>
#include <stdexcept>

#include <gtest/gtest.h>

#include <runtime/engine/event_log.hpp>
#include <swage/autograd/node.hpp>
#include <swage/swage.hpp>
#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

enum class Break { foreign_op, write, read, cut, exception, keep, draw, novel };

// x itself, with a node on the tape that calls `visit` when the backward pass comes by.
struct Tap final : autograd::CustomGradient {
  std::function<void(const Tensor&)> visit;
  Tensor gradient(const Tensor& grad_output, std::size_t) override {
    visit(grad_output);
    return grad_output;
  }
};
Tensor tap(const Tensor& x, const std::function<void(const Tensor&)>& visit) {
  visit(x);
  Tensor result = x.detach();
  auto custom = std::make_unique<Tap>();
  custom->name = "tap";
  custom->visit = visit;
  custom->edges.push_back(autograd::edge_to(x.value()));
  autograd::NodeRef node = autograd::new_node();
  node->custom = std::move(custom);
  autograd::attach(*result.value(), std::move(node));
  return result;
}

// A perceptron of two layers under plain gradient descent, stopping at every position to call `here`.
class Step {
 public:
  std::function<void(const Tensor&)> here = [](const Tensor&) {};

  Tensor run() {
    const auto stop = [this](const Tensor& at) { here(at); };
    const Tensor hidden = tap(tanh(tap(tap(matmul(x_, w1_), stop) + b1_, stop)), stop);
    const Tensor scores = tap(tap(matmul(hidden, w2_), stop) + b2_, stop);
    const Tensor loss = tap(mean(tap(square(tap(scores - y_, stop)), stop)), stop);
    loss.backward();
    const NoGradGuard no_grad;
    for (const Tensor& parameter : {w1_, b1_, w2_, b2_}) {
      const Tensor change = parameter.grad() * 0.05;
      here(change);
      parameter.sub_(change);
      here(parameter);
      parameter.set_grad({});
    }
    return loss;
  }
  void note(Notes& notes) const {
    for (const Tensor& each : {w1_, b1_, w2_, b2_}) notes(each);
  }
  void clear_gradients() const {
    for (const Tensor& parameter : {w1_, b1_, w2_, b2_}) parameter.set_grad({});
  }

 private:
  Tensor x_ = randn({6, 5}), y_ = randn({6, 3});
  Tensor w1_ = randn({5, 4}).requires_grad_(), b1_ = zeros({4}).requires_grad_();
  Tensor w2_ = randn({4, 3}).requires_grad_(), b2_ = zeros({3}).requires_grad_();
};

// Trains until the step is hot, breaks it at `position` in some rounds, and goes on. Gives the number of positions a step has.
int broken(Notes& notes, Break how, int position, int rounds = 9, int breaks_until = 7) {
  Step step;
  int count = 0;
  for (int round = 0; round < rounds; ++round) {
    const bool breaks = round >= 5 && round < breaks_until;
    Tensor kept;
    count = 0;
    step.here = [&](const Tensor& at) {
      if (count++ != position || !breaks) return;
      const NoGradGuard no_grad;
      switch (how) {
        case Break::foreign_op: notes(exp(at.detach()) + 1); break;
        case Break::write:
          kept = at.detach() * 2;
          kept.mul_(kept);
          break;
        case Break::read: notes(at); break;
        case Break::cut: swage::step(); break;
        case Break::exception: throw std::runtime_error("broken");
        case Break::keep: kept = at; break;
        case Break::draw: kept = randn({3}); break;
        case Break::novel: kept = exp(zeros({round}) - 0.5); break;  // of an extent not seen before
      }
    };
    try {
      const Tensor loss = step.run();
      swage::step();
      notes(loss);
    } catch (const std::runtime_error&) {
      step.clear_gradients();
    }
    notes(kept);
  }
  step.note(notes);
  notes(rand({2}));
  return count;
}

class BrokenTrace : public ::testing::TestWithParam<Break> {};

TEST_P(BrokenTrace, at_every_position) {
  Notes ignored;
  const int positions = broken(ignored, Break::foreign_op, -1);
  EXPECT_GE(positions, 20);
  for (int position = 0; position < positions; ++position) {
    SCOPED_TRACE(position);
    const TierRun run = expect_same([&](Notes& notes) { broken(notes, GetParam(), position); });
    EXPECT_GE(run.stats.compiles + run.stats.assembled, 1u);
  }
}

// Left again and again, and never for the same, every position becomes a fork, and what stands before it a plan.
TEST(Forks, EveryPositionOfAHotTraceMayBecomeOne) {
  Notes ignored;
  const int positions = broken(ignored, Break::foreign_op, -1);
  int forked = 0;
  for (int position = 0; position < positions; ++position) {
    SCOPED_TRACE(position);
    const std::uint64_t since = nanoseconds_since_start();
    expect_same([&](Notes& notes) { broken(notes, Break::novel, position, 22, 20); });
    forked += std::ranges::any_of(event_log().events(),
                                  [&](const Event& event) { return event.ns >= since && event.code == EventCode::forked; });
  }
  EXPECT_GE(forked, positions - 6);  // a few ops are no stem
}

INSTANTIATE_TEST_SUITE_P(, BrokenTrace,
                         ::testing::Values(Break::foreign_op, Break::write, Break::read, Break::cut, Break::exception,
                                           Break::keep, Break::draw, Break::novel));

}  // namespace
}  // namespace swage::test
