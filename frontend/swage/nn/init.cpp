#include <swage/nn/init.hpp>

#include <cmath>

#include <swage/autograd/grad_mode.hpp>

namespace swage::nn::init {

std::int64_t fan_in(const Tensor& weight) {
  std::int64_t product = 1;
  for (int d = 1; d < weight.dim(); ++d) product *= weight.sizes()[d];
  return product;
}

void uniform_(const Tensor& tensor, double bound) {
  NoGradGuard no_grad;
  tensor.uniform_(-bound, bound);
}

void kaiming_uniform_(const Tensor& weight, double a) {
  const double gain = std::sqrt(2.0 / (1.0 + a * a));
  uniform_(weight, gain * std::sqrt(3.0 / static_cast<double>(fan_in(weight))));
}

}  // namespace swage::nn::init
