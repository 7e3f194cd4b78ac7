// The first program of the README, word for word.
#include <cmath>

#include <gtest/gtest.h>

#include <swage/swage.hpp>
using namespace swage;

TEST(Seed, program) {
  Tensor x = randn({1, 10}), prev_h = randn({1, 20});
  Tensor W_h = randn({20, 20}).requires_grad_(), W_x = randn({20, 10}).requires_grad_();
  Tensor i2h = matmul(W_x, x.t());
  Tensor h2h = matmul(W_h, prev_h.t());
  Tensor next_h = tanh(i2h + h2h);
  next_h.backward(ones({20, 1}));
  Tensor g = W_h.grad();

  ASSERT_EQ(g.sizes(), (Dims{20, 20}));
  ASSERT_EQ(W_x.grad().sizes(), (Dims{20, 10}));
  const auto gradient = g.to_vector<float>(), h = next_h.to_vector<float>(), before = prev_h.to_vector<float>();
  for (std::size_t i = 0; i < 20; ++i)
    for (std::size_t j = 0; j < 20; ++j) EXPECT_NEAR(gradient[i * 20 + j], (1 - h[i] * h[i]) * before[j], 1e-5);
  const auto wx = W_x.to_vector<float>(), wh = W_h.to_vector<float>(), xs = x.to_vector<float>();
  for (std::size_t i = 0; i < 20; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < 10; ++j) sum += static_cast<double>(wx[i * 10 + j]) * xs[j];
    for (std::size_t j = 0; j < 20; ++j) sum += static_cast<double>(wh[i * 20 + j]) * before[j];
    EXPECT_NEAR(h[i], std::tanh(sum), 1e-5);
  }
}

TEST(Seed, gradient_of_the_wrong_shape) {
  Tensor next_h = tanh(matmul(randn({20, 20}).requires_grad_(), randn({20, 1})));
  try {
    next_h.backward(ones({1, 20}));
    FAIL() << "no error";
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("20×1 was expected"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("seed_test.cpp:"), std::string::npos) << error.what();
  }
}
