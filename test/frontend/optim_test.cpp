// Optimisers against the same arithmetic in doubles.
#include <cmath>

#include <gtest/gtest.h>

#include <swage/swage.hpp>

namespace swage {
namespace {

using Doubles = std::vector<double>;

// Minimises Σ (p − target)² · weight, whose gradient is 2 (p − target) · weight.
struct Problem {
  Tensor p = tensor(Doubles{1.0, -2.0, 0.5}, {3}).requires_grad_();
  Doubles plain{1.0, -2.0, 0.5}, target{0.2, 0.1, -0.3}, weight{1, 0.5, 2};

  void backward() const { sum(square(p - tensor(target, {3})) * tensor(weight, {3})).backward(); }
  double gradient(std::size_t i) const { return 2 * (plain[i] - target[i]) * weight[i]; }
  void compare() const {
    const auto values = p.to_vector<double>();
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(values[i], plain[i], 1e-12);
  }
};

TEST(Optimisers, sgd) {
  for (const double momentum : {0.0, 0.9})
    for (const bool nesterov : {false, true}) {
      if (nesterov && momentum == 0) continue;
      Problem problem;
      optim::SGD sgd({problem.p}, {.lr = 0.05, .momentum = momentum, .weight_decay = 0.01, .nesterov = nesterov});
      Doubles v(3);
      for (int step = 0; step < 10; ++step) {
        const double lr = optim::cosine_lr(step, 10, 0.05);
        sgd.set_lr(lr);
        problem.backward();
        sgd.step();
        for (std::size_t i = 0; i < 3; ++i) {
          const double g = problem.gradient(i) + 0.01 * problem.plain[i];
          v[i] = step == 0 ? g : momentum * v[i] + g;
          problem.plain[i] -= lr * (momentum == 0 ? g : nesterov ? g + momentum * v[i] : v[i]);
        }
        problem.compare();
      }
    }
}

TEST(Optimisers, adam) {
  Problem problem;
  optim::Adam adam({problem.p}, {.lr = 0.1, .weight_decay = 0.01});
  Doubles m(3), v(3);
  for (int step = 1; step <= 10; ++step) {
    problem.backward();
    adam.step();
    for (std::size_t i = 0; i < 3; ++i) {
      const double g = problem.gradient(i) + 0.01 * problem.plain[i];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      problem.plain[i] -= 0.1 / (1 - std::pow(0.9, step)) * m[i] / (std::sqrt(v[i] / (1 - std::pow(0.999, step))) + 1e-8);
    }
    problem.compare();
  }
}

TEST(Optimisers, adamw) {
  Problem problem;
  optim::AdamW adamw({problem.p}, {.lr = 0.1, .weight_decay = 0.3});
  Doubles m(3), v(3);
  for (int step = 1; step <= 10; ++step) {
    problem.backward();
    adamw.step();
    for (std::size_t i = 0; i < 3; ++i) {
      const double g = problem.gradient(i);
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      problem.plain[i] *= 1 - 0.1 * 0.3;
      problem.plain[i] -= 0.1 / (1 - std::pow(0.9, step)) * m[i] / (std::sqrt(v[i] / (1 - std::pow(0.999, step))) + 1e-8);
    }
    problem.compare();
  }
}

TEST(Optimisers, clip_by_norm) {
  const Tensor a = tensor(Doubles{0, 0}, {2}).requires_grad_(), b = tensor(Doubles{0}, {1}).requires_grad_();
  const Tensor without = tensor(Doubles{1}, {1}).requires_grad_();
  const auto give = [&](double scale) {
    a.set_grad(tensor(Doubles{3 * scale, 4 * scale}, {2}));
    b.set_grad(tensor(Doubles{12 * scale}, {1}));
  };
  give(1);
  EXPECT_DOUBLE_EQ(optim::clip_grad_norm_({a, without, b}, 6.5).item(), 13);
  const auto clipped = a.grad().to_vector<double>();
  EXPECT_NEAR(clipped[0], 1.5, 1e-6);
  EXPECT_NEAR(clipped[1], 2, 1e-6);
  EXPECT_NEAR(b.grad().item(), 6, 1e-6);
  give(0.1);
  optim::clip_grad_norm_({a, b}, 6.5);
  EXPECT_DOUBLE_EQ(b.grad().item(), 12 * 0.1);
  EXPECT_THROW(optim::clip_grad_norm_({without}, 1), ValueError);
  EXPECT_THROW(optim::clip_grad_norm_({a}, -1), ValueError);
}

TEST(Optimisers, step_consumes_gradients_unless_told) {
  Problem problem;
  optim::SGD sgd({problem.p}, {.lr = 0.1});
  problem.backward();
  sgd.step(optim::keep_gradients);
  EXPECT_TRUE(problem.p.grad().defined());
  sgd.step();
  EXPECT_FALSE(problem.p.grad().defined());
  const auto before = problem.p.to_vector<double>();
  sgd.step();
  EXPECT_EQ(problem.p.to_vector<double>(), before);
  EXPECT_THROW(optim::SGD({ones({1})}, {}), ValueError);
}

TEST(Optimisers, state_goes_on) {
  Problem a, b;
  optim::Adam first({a.p}), second({b.p});
  for (int i = 0; i < 3; ++i) a.backward(), first.step();
  b.p.detach().copy_(a.p.detach());
  second.load_state(first.state());
  for (int i = 0; i < 3; ++i) a.backward(), first.step(), b.backward(), second.step();
  EXPECT_EQ(a.p.to_vector<double>(), b.p.to_vector<double>());
  EXPECT_EQ(second.steps(), 6);
  optim::SGD other({b.p}, {.momentum = 0.9});
  EXPECT_THROW(other.load_state(first.state()), ValueError);
}

TEST(Optimisers, a_small_network_learns) {
  manual_seed(1);
  nn::Sequential net(nn::Linear(2, 16), nn::Tanh(), nn::Linear(16, 2));
  optim::Adam adam(net.parameters(), {.lr = 0.05});
  const Tensor x = tensor({{0.0, 0.0}, {0.0, 1.0}, {1.0, 0.0}, {1.0, 1.0}}), y = tensor({0, 1, 1, 0});
  double loss = 0;
  for (int i = 0; i < 150; ++i) {
    const Tensor l = cross_entropy(net(x), y);
    l.backward();
    adam.step();
    loss = l.item();
  }
  EXPECT_LT(loss, 0.05);
}

}  // namespace
}  // namespace swage
