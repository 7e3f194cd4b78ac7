#include <test/frontend/gradient_check.hpp>

#include <cmath>

#include <gtest/gtest.h>

namespace swage::testing {

Tensor uneven(const Dims& sizes, double phase) {
  std::vector<double> values(static_cast<std::size_t>(sizes.product()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(1.7 * static_cast<double>(i) + 0.4 + phase);
  return tensor(values, sizes);
}

namespace {

std::vector<Tensor> leaves(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> result;
  for (const Tensor& input : inputs) result.push_back(input.detach().clone().requires_grad_());
  return result;
}

Function weighted_sum(const Function& f) {
  return [f](const std::vector<Tensor>& inputs) {
    const Tensor result = f(inputs);
    return sum(result * uneven(result.sizes()));
  };
}

// The weighted sum of the gradients of a scalar function.
Function gradient_sum(const Function& scalar) {
  return [scalar](const std::vector<Tensor>& inputs) {
    const Tensor value = scalar(inputs);
    std::vector<Tensor> wanted;
    for (const Tensor& input : inputs)
      if (input.requires_grad()) wanted.push_back(input);
    if (!value.requires_grad()) return zeros({}, DType::f64);  // constant
    const std::vector<Tensor> gradients = grad({value}, wanted, {}, true, true);
    Tensor total = zeros({}, DType::f64);
    for (std::size_t i = 0; i < gradients.size(); ++i)
      total = total + sum(gradients[i] * uneven(gradients[i].sizes(), 1.0 + static_cast<double>(i)));
    return total;
  };
}

void check_scalar(const Function& scalar, const std::vector<Tensor>& inputs, int order) {
  const std::vector<Tensor> at = leaves(inputs);
  const Tensor value = scalar(at);
  std::vector<Tensor> gradients;
  if (value.requires_grad())
    gradients = grad({value}, at, {}, true);
  else  // constant in all inputs
    for (const Tensor& input : at) gradients.push_back(zeros(input.sizes(), DType::f64));
  constexpr double step = 1e-6;
  for (std::size_t k = 0; k < at.size(); ++k) {
    ASSERT_EQ(gradients[k].sizes(), at[k].sizes());
    ASSERT_EQ(gradients[k].dtype(), DType::f64);
    const std::vector<double> analytic = gradients[k].to_vector<double>();
    const std::vector<double> original = at[k].detach().to_vector<double>();
    for (std::size_t i = 0; i < original.size(); ++i) {
      const auto moved = [&](double by) {
        std::vector<double> values = original;
        values[i] += by;
        std::vector<Tensor> inputs_moved = leaves(at);
        inputs_moved[k] = tensor(values, at[k].sizes()).requires_grad_();
        return scalar(inputs_moved).item();
      };
      const double numeric = (moved(step) - moved(-step)) / (2 * step);
      EXPECT_NEAR(analytic[i], numeric, 1e-6 * (1 + std::abs(numeric)))
          << "order " << order << ", input " << k << ", element " << i;
    }
  }
}

}  // namespace

void check_gradients(const Function& f, const std::vector<Tensor>& inputs, int order) {
  const Function scalar = weighted_sum(f);
  check_scalar(scalar, inputs, 1);
  if (order > 1) check_scalar(gradient_sum(scalar), inputs, 2);
}

}  // namespace swage::testing
