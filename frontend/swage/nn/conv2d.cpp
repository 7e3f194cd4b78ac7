#include <swage/nn/conv2d.hpp>

#include <cmath>

#include <swage/creation.hpp>
#include <swage/nn/init.hpp>

namespace swage::nn {

Conv2d::Conv2d(std::int64_t in_channels, std::int64_t out_channels, Pair kernel, Conv2dOptions chosen)
    : Module(Library{}), weight(zeros({out_channels, in_channels, kernel.height, kernel.width})), options(chosen) {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  register_parameter("weight", weight);
  if (!options.bias) return;
  bias = zeros({out_channels});
  init::uniform_(bias, 1.0 / std::sqrt(static_cast<double>(init::fan_in(weight))));
  register_parameter("bias", bias);
}

Tensor Conv2d::forward(const Tensor& x) { return conv2d(x, weight, bias, options.stride, options.padding); }

}  // namespace swage::nn
