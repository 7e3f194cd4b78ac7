// Batch scopes where something is not as it was, or not as one would think.
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <swage/swage.hpp>
#include <test/frontend/error_of.hpp>

namespace swage {
namespace {

using test::error_of;
using testing::HasSubstr;

// Runs `f` often enough for its windows to be run as a whole, whatever that costs.
template <class F>
void train(F&& f) {
  const EngineOptions before = engine_options();
  EngineOptions options = before;
  options.weigh_cost = false;
  set_engine_options(options);
  for (int i = 0; i < 30; ++i) {
    f();
    swage::step();
    wait_for_compiler();
  }
  set_engine_options(before);
}
Tensor filled(std::int64_t n, double value) { return full({n}, value); }
std::vector<float> numbers(const Tensor& tensor) { return tensor.contiguous().to_vector<float>(); }

TEST(BatchTraps, AWindowOfAnotherPatternOfGradientsIsNotTaken) {
  const Tensor w = full({4, 4}, 0.5).requires_grad_(), v = filled(2, 1).requires_grad_();
  const auto forward = [&] {
    const NoGradGuard no_grad;
    return matmul(full({2, 4}, 1.0) + 0, w);
  };
  train([&] { batch([&] { return std::pair(forward(), v * filled(2, 3)); }); });
  EXPECT_EQ(numbers(batch(forward)), std::vector<float>(8, 2));
  auto frozen = cell("frozen", [&](const Tensor& x) { return sum(matmul(x, w)); }, {.pure = true});
  const auto gradient = [&] {
    const Tensor loss = batch([&] { return frozen(full({2, 4}, 1.0)); });
    if (loss.requires_grad()) loss.backward();
    const Tensor found = w.grad();
    w.set_grad({});
    return found;
  };
  train([&] { gradient(); });
  EXPECT_EQ(numbers(gradient()), std::vector<float>(16, 2));
  w.requires_grad_(false);
  EXPECT_FALSE(gradient().defined());
  w.requires_grad_();
  EXPECT_EQ(numbers(gradient()), std::vector<float>(16, 2));
}

TEST(BatchTraps, ResultsOfParametersAloneHaveGradients) {
  const Tensor w = filled(2, 3).requires_grad_();
  auto both = cell("both", [&](const Tensor& x) { return std::pair(x * w, w * 4); });
  batch([&] {
    const auto [p, q] = both(filled(2, 5));
    return sum(p) + sum(q);
  }).backward();
  EXPECT_EQ(numbers(w.grad()), (std::vector<float>{9, 9}));
}

TEST(BatchTraps, NothingAtAllIsAGroupToo) {
  const Tensor v = full({3, 2}, 1.0).requires_grad_(), none = zeros({3, 0}).requires_grad_();
  batch([&] { return sum(matmul(zeros({0, 3}), v)); }).backward();
  EXPECT_EQ(numbers(v.grad()), std::vector<float>(6, 0));
  batch([&] { return sum(matmul(full({2, 3}, 1.0) * 2, none)); }).backward();
  EXPECT_EQ(none.grad().sizes(), (Dims{3, 0}));
}

TEST(BatchTraps, ValuesThatHappenedToBeOneAreToldApart) {
  const Tensor a = filled(300, 2), b = filled(300, 5);
  const NoGradGuard no_grad;
  const auto run = [&](const Tensor& x, const Tensor& y) {
    auto add = cell("add", [](const Tensor& l, const Tensor& r) { return l * 10 + r; });
    return batch([&] { return std::pair(add(x, y), add(x, y)); }).first[0].item<float>();
  };
  train([&] { run(a, a); });
  EXPECT_EQ(run(a, b), 25);
}

TEST(BatchTraps, CopyingLeavesTheSourceAlone) {
  const auto [a, b] = batch([] {
    const Tensor x = filled(2, 1) * filled(2, 1), y = filled(2, 5) * filled(2, 1);
    x.copy_(y);
    x.add_(1);
    return std::pair(x, y);
  });
  EXPECT_EQ(numbers(a), (std::vector<float>{6, 6}));
  EXPECT_EQ(numbers(b), (std::vector<float>{5, 5}));
}

TEST(BatchTraps, MemoryMayChangeBeforeTheScopeEnds) {
  std::vector<float> memory = {1, 1};
  const Tensor borrowed = borrow(memory.data(), {2}, DType::f32), exposed = filled(2, 1);
  auto twice = cell("twice", [](const Tensor& x) { return x * 2; });
  Tensor by_cell, by_cat, squared;
  batch([&] {
    by_cell = twice(borrowed);
    by_cat = cat({borrowed, borrowed}, 0);
    squared = exposed * exposed;
    memory = {50, 50};
    exposed.mutable_data<float>()[0] = 50;
  });
  EXPECT_EQ(numbers(by_cell), (std::vector<float>{2, 2}));
  EXPECT_EQ(numbers(by_cat), std::vector<float>(4, 1));
  EXPECT_EQ(numbers(squared), (std::vector<float>{1, 1}));
}

TEST(BatchTraps, ASumMayBeginWithWhatNeedsNoGradient) {
  const Tensor w = filled(1, 1).requires_grad_();
  batch([&] {
    std::vector<Tensor> parts = {filled(1, 0)};
    for (int i = 1; i <= 3; ++i) parts.push_back(w * filled(1, i));
    return sum_of(parts);
  }).backward();
  EXPECT_EQ(numbers(w.grad()), std::vector<float>{6});
}

TEST(BatchTraps, BackwardInsideAScopeAndLeavesMadeThere) {
  const Tensor w = filled(2, 1).requires_grad_();
  Tensor leaf;
  batch([&] {
    const Tensor loss = sum(w * filled(2, 2));
    loss.backward();
    leaf = filled(2, 3) * filled(2, 1);
    leaf.requires_grad_();
    sum(square(leaf)).backward();
  });
  EXPECT_EQ(numbers(w.grad()), (std::vector<float>{2, 2}));
  EXPECT_EQ(numbers(leaf.grad()), (std::vector<float>{6, 6}));
}

TEST(BatchTraps, LeavesOfOneStorageHaveGradientsOfTheirOwn) {
  const Tensor w = filled(2, 1).requires_grad_(), u = w.detach().requires_grad_();
  batch([&] { return sum(filled(2, 1) * w) + sum(filled(2, 10) * u); }).backward();
  EXPECT_EQ(numbers(w.grad()), (std::vector<float>{1, 1}));
  EXPECT_EQ(numbers(u.grad()), (std::vector<float>{10, 10}));
}

TEST(BatchTraps, WeightsThatChangeBeforeBackwardAreAnError) {
  const Tensor w = full({2, 2}, 1.0).requires_grad_();
  const Tensor loss = batch([&] { return sum(matmul(full({2, 2}, 2.0), w)); });
  no_grad([&] { w.fill_(100); });
  EXPECT_THAT(error_of([&] { loss.backward(); }), HasSubstr("was changed in place"));
}

TEST(BatchTraps, CellsCallCells) {
  auto inner = cell("inner", [](const Tensor& x) { return x * 2; });
  auto outer = cell("outer", [&](const Tensor& x) { return inner(x) + 1; });
  EXPECT_EQ(numbers(batch([&] { return outer(filled(2, 3)); })), (std::vector<float>{7, 7}));
  EXPECT_EQ(numbers(outer(filled(2, 3))), (std::vector<float>{7, 7}));
}

TEST(BatchTraps, AWholeWindowGoesBackOnAnotherThreadAndBesideReaders) {
  const Tensor v = full({2, 2}, 0.5).requires_grad_(), w = full({2, 2}, 1.0).requires_grad_();
  auto two = cell("two", [&](const Tensor& x) { return sum(matmul(matmul(x, v), w)); }, {.pure = true});
  const auto forward = [&] { return batch([&] { return two(full({2, 2}, 1.0)); }); };
  const auto taken = [&] {
    const auto found = numbers(w.grad());
    v.set_grad({});
    w.set_grad({});
    return found;
  };
  train([&] {
    forward().backward();
    taken();
  });
  const Tensor loss = forward();
  std::thread([&] {
    const NoGradGuard no_grad;
    for (int i = 0; i < 30; ++i) {
      static_cast<void>(sum(w * 2).item());
      wait_for_compiler();
    }
  }).join();
  loss.backward();
  EXPECT_EQ(taken(), std::vector<float>(4, 2));
  const Tensor elsewhere = forward();
  std::vector<float> found;
  std::thread([&] {
    elsewhere.backward();
    found = taken();
  }).join();
  EXPECT_EQ(found, std::vector<float>(4, 2));
}

}  // namespace
}  // namespace swage
