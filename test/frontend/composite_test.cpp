// Composites: values against plain loops, gradients against central differences.
#include <cmath>

#include <gtest/gtest.h>

#include <test/frontend/gradient_check.hpp>

namespace swage {
namespace {

using testing::check_gradients;
using testing::uneven;
using Inputs = const std::vector<Tensor>&;

TEST(Composites, gradients) {
  check_gradients([](Inputs in) { return softmax(in[0], 1); }, {uneven({2, 3})});
  check_gradients([](Inputs in) { return log_softmax(in[0], 0); }, {uneven({2, 3})});
  const Tensor target = tensor({2, 0});
  check_gradients([=](Inputs in) { return cross_entropy(in[0], target); }, {uneven({2, 3})});
  check_gradients([=](Inputs in) { return nll_loss(log_softmax(in[0], 1), target); }, {uneven({2, 3})});
  check_gradients([](Inputs in) { return mse_loss(in[0], in[1]); }, {uneven({2, 3}), uneven({2, 3}, 1)});
  check_gradients([](Inputs in) { return linear(in[0], in[1], in[2]); },
                  {uneven({2, 2, 3}), uneven({4, 3}, 1), uneven({4}, 2)});
  check_gradients([](Inputs in) { return matmul(in[0], in[1]); }, {uneven({3}), uneven({3}, 1)});
  check_gradients([](Inputs in) { return batch_norm(in[0], {}, {}, in[1], in[2], true); },
                  {uneven({3, 2, 2}), uneven({2}, 1), uneven({2}, 2)});
  check_gradients([](Inputs in) { return square(cat({in[0], in[1], in[0]}, 1)); }, {uneven({2, 3}), uneven({2, 1}, 1)});
  check_gradients([](Inputs in) { return square(stack({in[0], in[1]}, 1)); }, {uneven({2, 3}), uneven({2, 3}, 1)});
  check_gradients([](Inputs in) { return var(in[0], {1}); }, {uneven({2, 3})});
  check_gradients([](Inputs in) { return clamp(in[0], -0.5, 0.5); }, {uneven({2, 3})});
  for (double exponent : {0.0, 1.0, 2.0, 3.0, 4.0, 0.5, -0.5, -1.0, -2.0, 1.7})
    check_gradients([=](Inputs in) { return pow(in[0], exponent); }, {uneven({4}) * 0.5 + 1.0});
}

TEST(Composites, pooling) {
  const Tensor x = arange(0, 2 * 5 * 4, 1, DType::f32).reshape({1, 2, 5, 4});  // the last row fills no patch
  EXPECT_EQ(max_pool2d(x, 2).to_vector<float>(), (std::vector<float>{5, 7, 13, 15, 25, 27, 33, 35}));
  EXPECT_EQ(avg_pool2d(x, {1, 4}).to_vector<float>()[9], 37.5f);
  EXPECT_EQ(max_pool2d(x, {5, 1}).sizes(), (Dims{1, 2, 1, 4}));
  check_gradients([](Inputs in) { return max_pool2d(in[0], 2); }, {uneven({1, 2, 5, 4})});
  check_gradients([](Inputs in) { return avg_pool2d(in[0], {2, 1}); }, {uneven({1, 2, 5, 4})});
  EXPECT_THROW(max_pool2d(x, 6), ShapeError);
  EXPECT_THROW(max_pool2d(x.reshape({2, 20}), 2), ShapeError);
  EXPECT_THROW(avg_pool2d(x, 0), ValueError);
  EXPECT_THROW(avg_pool2d(arange(16).reshape({1, 1, 4, 4}), 2), DTypeError);
}

TEST(Composites, powers) {
  const std::vector<double> base{0.5, 1.25, 3};
  for (double exponent : {0.0, 1.0, 2.0, 3.0, 4.0, 0.5, -0.5, -1.0, -2.0, 1.7}) {
    const auto result = pow(tensor(base, {3}), exponent).to_vector<double>();
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(result[i], std::pow(base[i], exponent), 1e-12);
  }
}

TEST(Composites, softmax_of_large_numbers) {
  const auto result = softmax(tensor({1000.0, 1000.0, -1000.0}), 0).to_vector<float>();
  EXPECT_EQ(result, (std::vector<float>{0.5f, 0.5f, 0}));
}

TEST(Composites, cross_entropy_by_hand) {
  const Tensor logits = uneven({3, 4});
  const std::vector<std::int64_t> target{3, 0, 1};
  const auto x = logits.to_vector<double>();
  double expected = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    double total = 0;
    for (std::size_t j = 0; j < 4; ++j) total += std::exp(x[i * 4 + j]);
    expected += (std::log(total) - x[i * 4 + static_cast<std::size_t>(target[i])]) / 3;
  }
  EXPECT_NEAR(cross_entropy(logits, tensor(target, {3})).item(), expected, 1e-12);
}

TEST(Composites, cross_entropy_class_out_of_range) {
  const Tensor logits = randn({2, 3});
  try {
    const double loss = cross_entropy(logits, tensor({0, 3})).item();
    FAIL() << loss;
  } catch (const IndexError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("3"), std::string::npos) << text;
    EXPECT_NE(text.find("composite_test.cpp:"), std::string::npos) << text;
  }
}

TEST(Composites, batch_norm_running_statistics) {
  const Tensor x = uneven({4, 2, 3});
  const Tensor running_mean = zeros({2}, DType::f64), running_var = ones({2}, DType::f64);
  const Tensor y = batch_norm(x, running_mean, running_var, {}, {}, true, 0.1, 1e-5);
  const auto values = x.to_vector<double>(), normal = y.to_vector<double>();
  for (std::size_t c = 0; c < 2; ++c) {
    double mean = 0, squares = 0;
    const auto each = [&](auto&& f) {
      for (std::size_t n = 0; n < 4; ++n)
        for (std::size_t i = 0; i < 3; ++i) f((n * 2 + c) * 3 + i);
    };
    each([&](std::size_t i) { mean += values[i] / 12; });
    each([&](std::size_t i) { squares += (values[i] - mean) * (values[i] - mean); });
    EXPECT_NEAR(running_mean.to_vector<double>()[c], 0.1 * mean, 1e-12);
    EXPECT_NEAR(running_var.to_vector<double>()[c], 0.9 + 0.1 * squares / 11, 1e-12);
    each([&](std::size_t i) { EXPECT_NEAR(normal[i], (values[i] - mean) / std::sqrt(squares / 12 + 1e-5), 1e-12); });
  }
  const Tensor again = batch_norm(x, running_mean, running_var);
  const double m = running_mean.to_vector<double>()[0], v = running_var.to_vector<double>()[0];
  EXPECT_NEAR(again.to_vector<double>()[0], (values[0] - m) / std::sqrt(v + 1e-5), 1e-12);
}

TEST(Composites, joining) {
  const Tensor a = tensor({{1, 2}, {3, 4}}), b = tensor({{5}, {6}});
  EXPECT_EQ(cat({a, b}, 1).to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 2, 5, 3, 4, 6}));
  EXPECT_EQ(cat({a, a}, -2).sizes(), (Dims{4, 2}));
  EXPECT_EQ(stack({a, a}, -1).sizes(), (Dims{2, 2, 2}));
  EXPECT_EQ(stack({a[0], a[1]}).to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(one_hot(tensor({2, 0}), 3).to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 0, 1, 1, 0, 0}));
  EXPECT_THROW(cat({a, tensor({{1, 2, 3}})}, 0), ShapeError);
}

}  // namespace
}  // namespace swage
