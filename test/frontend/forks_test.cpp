// Programs that part: conditionals in a step, a line that logs now and then, loops of any length. Each way out of a fork becomes a plan,
// not each combination of ways, and what is left out of that runs as it would eagerly, bit for bit.
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include <runtime/core/split_mix.hpp>
#include <runtime/engine/event_log.hpp>
#include <swage/swage.hpp>
#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

constexpr int kConditionals = 10;

// Ten blocks that run or not, as the host draws; forward, backward and an update.
class Branching {
 public:
  // Bit k of `taken`: whether block k runs.
  Tensor step(unsigned taken) {
    Tensor h = x_;
    for (int k = 0; k < kConditionals; ++k) {
      for (const Tensor& w : straight_[static_cast<std::size_t>(k)]) h = tanh(h * w + 0.1);
      if (taken >> k & 1) h = block(k, h);
    }
    const Tensor loss = mean(square(h));
    loss.backward();
    const NoGradGuard no_grad;
    for (const auto& weights : straight_)
      for (const Tensor& w : weights) {
        const_cast<Tensor&>(w).sub_(w.grad() * 0.01);
        const_cast<Tensor&>(w).set_grad({});
      }
    swage::step();
    return loss;
  }
  void note(Notes& notes) const {
    for (const auto& weights : straight_)
      for (const Tensor& w : weights) notes(w);
  }

 private:
  // Each its own, so that no block stands for another.
  Tensor block(int k, const Tensor& h) const {
    switch (k) {
      case 0: return sigmoid(h * 1.5) - h;
      case 1: return exp(-square(h)) * h;
      case 2: return relu(h + 0.3) * h + h;
      case 3: return sqrt(square(h) + 1.0);
      case 4: return sigmoid(h) * tanh(h);
      case 5: return h / (square(h) + 2.0) - 0.2;
      case 6: return cos(h) + h;
      case 7: return abs(h) * 0.7;
      case 8: return maximum(h, -0.1) - 0.4;
      default: return h * h * 0.2 + 0.1;
    }
  }
  Tensor x_ = randn({8, 16});
  std::vector<std::vector<Tensor>> straight_ = [] {
    std::vector<std::vector<Tensor>> weights(kConditionals);
    for (int k = 0; k < kConditionals; ++k)
      for (int i = 0; i < 2 + k % 3; ++i)
        weights[static_cast<std::size_t>(k)].push_back(randn({k % 2 ? 8 : 1, 16}).requires_grad_());
    return weights;
  }();
};

// Combinations whose bits sum to an even number come first; the others are new when they come.
unsigned drawn(std::uint64_t& state, unsigned parity) {
  unsigned taken = 0;
  do taken = static_cast<unsigned>(split_mix(state) >> 40) % (1u << kConditionals);
  while (static_cast<unsigned>(__builtin_popcount(taken)) % 2 != parity);
  return taken;
}

struct Share {
  double compiled = 0;  // of the ops
  std::uint64_t plans = 0;
};

template <class F>
Share measured(F&& f) {
  const EngineStats before = stats();
  f();
  const EngineStats after = stats();
  return {static_cast<double>(after.compiled_ops - before.compiled_ops) / static_cast<double>(after.ops - before.ops),
          after.compiles + after.assembled - before.compiles - before.assembled};
}

TEST(Forks, TenConditionalsTakeAPlanForEachWayAndRunCompiledInCombinationsNeverSeen) {
  Share early, late, novel;
  expect_same([&](Notes& notes) {
    Branching program;
    std::uint64_t state = 5;
    early = measured([&] {
      for (int i = 0; i < 800; ++i) program.step(drawn(state, 0));
    });
    program.note(notes);
    late = measured([&] {
      for (int i = 0; i < 100; ++i) notes(program.step(drawn(state, 0)));
    });
    std::set<unsigned> seen;
    novel = measured([&] {
      for (int i = 0; i < 32; ++i) {
        const unsigned taken = drawn(state, 1);
        if (seen.insert(taken).second) notes(program.step(taken));
      }
    });
    program.note(notes);
  });
  EXPECT_GT(late.compiled, 0.9);
  EXPECT_GT(novel.compiled, 0.9);
  EXPECT_LE(early.plans + late.plans + novel.plans, 120u);  // of 1,024 ways through a step
}

// A line that logs in every tenth step: an additional reduction, or a read in the middle. Neither forks the rest of the step.
class LoggingLine : public ::testing::TestWithParam<bool> {};

TEST_P(LoggingLine, IsCompiledAfterAFewSightingsAndTheOtherStepsStayWhole) {
  const bool reads = GetParam();
  double logging = 0;
  std::uint64_t other_windows = 0, other_hits = 0;
  expect_same([&](Notes& notes) {
    const Tensor x = randn({8, 16});
    std::vector<Tensor> weights;
    for (int k = 0; k < 20; ++k) weights.push_back(randn({16}).requires_grad_());
    const auto step = [&](bool logs) {
      Tensor h = x, logged;
      for (int k = 0; k < 20; ++k) {
        h = tanh(h * weights[static_cast<std::size_t>(k)]);
        if (k == 9 && logs) logged = mean(abs(h.detach()));
        if (k == 9 && logs && reads) notes(logged);
      }
      const Tensor loss = mean(square(h));
      loss.backward();
      {
        const NoGradGuard no_grad;
        for (const Tensor& w : weights) {
          w.sub_(w.grad() * 0.1);
          w.set_grad({});
        }
      }
      swage::step();
      notes(logged);
      return loss;
    };
    for (int i = 0; i < 60; ++i) step(i % 10 == 9);  // six sightings
    const EngineStats before = stats();
    for (int i = 0; i < 9; ++i) step(false);
    other_windows = stats().windows - before.windows;
    other_hits = stats().hits - before.hits;
    logging = measured([&] { step(true); }).compiled;
    for (const Tensor& w : weights) notes(w);
  });
  EXPECT_EQ(other_windows, 9u);
  EXPECT_EQ(other_hits, 9u);
  EXPECT_GT(logging, 0.95);
}
INSTANTIATE_TEST_SUITE_P(, LoggingLine, ::testing::Bool(),
                         [](const auto& reads) { return std::string(reads.param ? "reads" : "records"); });

// As many rounds of a loop as the host says: the body becomes a plan, not each number of rounds.
TEST(Forks, ALoopOfAnyLengthTakesFewPlans) {
  Share then;
  expect_same([&](Notes& notes) {
    const Tensor x = randn({8, 16}), w = randn({16}), v = randn({16});
    std::uint64_t state = 11;
    const auto run = [&](int rounds) {
      Tensor h = x * v + 1.0;
      for (int k = 0; k < rounds; ++k) h = tanh(h * w + v) * sigmoid(h - v);
      const Tensor result = mean(exp(-h));
      swage::step();
      notes(result);
    };
    for (int i = 0; i < 300; ++i) run(1 + static_cast<int>(split_mix(state) >> 40) % 40);
    then = measured([&] {
      for (int rounds = 41; rounds < 60; ++rounds) run(rounds);  // never seen
    });
  });
  EXPECT_GT(then.compiled, 0.9);
  EXPECT_LE(then.plans, 4u);
}

}  // namespace
}  // namespace swage::test
