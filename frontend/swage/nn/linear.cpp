#include <swage/nn/linear.hpp>

#include <cmath>

#include <swage/creation.hpp>
#include <swage/nn/init.hpp>
#include <swage/products.hpp>

namespace swage::nn {

Linear::Linear(std::int64_t in_features, std::int64_t out_features, bool with_bias)
    : Module(Library{}), weight(zeros({out_features, in_features})) {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  register_parameter("weight", weight);
  if (!with_bias) return;
  bias = zeros({out_features});
  if (in_features > 0) init::uniform_(bias, 1.0 / std::sqrt(static_cast<double>(in_features)));
  register_parameter("bias", bias);
}

Tensor Linear::forward(const Tensor& x) { return linear(x, weight, bias); }

}  // namespace swage::nn
