// What a step that repeats asks of the system allocator: nothing. (Products are oneDNN's own affair, so there are none here.)
#include <functional>

#include <gtest/gtest.h>

#include <bench/harness/thread_use.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

class Allocations : public testing::Test {
 protected:
  void SetUp() override {
    if (!thread_use().allocations) GTEST_SKIP() << "a sanitizer owns the allocator";
    EngineOptions options = options_;
    options.tier = Tier::compiled;
    options.weigh_cost = false;
    options.remember = false;
    set_engine_options(options);
    forget_traces();
    manual_seed(3);
  }
  void TearDown() override {
    set_engine_options(options_);
    forget_traces();
  }

  // Of one step, once it has been run by a plan for long.
  static double per_step(const std::function<void()>& step) {
    constexpr int kWarmUp = 80, kSteps = 20;
    for (int i = 0; i < kWarmUp; ++i) {
      step();
      wait_for_compiler();
    }
    const EngineStats warm = stats();
    const std::uint64_t before = *thread_use().allocations;
    for (int i = 0; i < kSteps; ++i) step();
    const std::uint64_t after = *thread_use().allocations;
    EXPECT_EQ(stats().hits - warm.hits, stats().windows - warm.windows);
    EXPECT_GE(stats().hits - warm.hits, static_cast<std::uint64_t>(kSteps));
    return static_cast<double>(after - before) / kSteps;
  }

  EngineOptions options_ = engine_options();
};

TEST_F(Allocations, AChainOfSmallOps) {
  const Tensor x = randn({16}), y = randn({16});
  EXPECT_EQ(per_step([&] {
              Tensor a = x;
              for (int i = 0; i < 100; ++i) a = a * 0.5 + y;
              swage::step();
            }),
            0);
}

TEST_F(Allocations, AProgramThatMakesItsLeavesAnew) {
  EXPECT_EQ(per_step([] {
              const Tensor x = randn({4, 8}), weight = randn({4, 8}).requires_grad_();
              const Tensor h = tanh(x * weight + x.narrow(1, 0, 8));
              h.backward(ones({4, 8}));
              const Tensor gradient = weight.grad();
              swage::step();
            }),
            0);
}

TEST_F(Allocations, AGradientThatIsGivenFromOutside) {
  const Tensor x = randn({16}), seed = ones({16}), weight = randn({16}).requires_grad_();
  EXPECT_EQ(per_step([&] {
              Tensor a = x;
              for (int i = 0; i < 10; ++i) a = a * weight;
              a.backward(seed);
              weight.set_grad({});
              swage::step();
            }),
            0);
}

TEST_F(Allocations, ATrainingStepOfAClassifier) {
  const Tensor x = randn({6, 8}), scale = randn({8}).requires_grad_(), bias = zeros({8}).requires_grad_();
  const Tensor weight = ones({8}).requires_grad_(), labels = tensor({0, 2, 1, 2, 7, 1});
  optim::Adam optimizer({scale, bias, weight}, {.lr = 0.01});
  EXPECT_EQ(per_step([&] {
              const Tensor h = relu(layer_norm(x * scale + bias, {8}, weight));
              const Tensor loss = cross_entropy(gelu(h) * softmax(h, 1), labels);
              loss.backward();
              optimizer.step();
            }),
            0);
}

}  // namespace
}  // namespace swage::bench
