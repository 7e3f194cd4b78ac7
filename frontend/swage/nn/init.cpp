#include <swage/nn/init.hpp>

#include <cmath>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/creation.hpp>

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

void identity_(const Tensor& weight) {
  const SiteScope scope(caller());
  const Dims& sizes = weight.sizes();
  const bool convolution = weight.dim() == 4 && sizes[2] % 2 == 1 && sizes[3] % 2 == 1;
  if ((weight.dim() != 2 && !convolution) || sizes[0] != sizes[1])
    raise<ShapeError>(SiteScope::or_else({}), "[identity_] takes (n,n), or (n,n,h,w) with odd h and w, not {}",
                      to_string(sizes));
  NoGradGuard no_grad;
  weight.zero_();
  const Tensor middle = convolution ? weight.select(3, sizes[3] / 2).select(2, sizes[2] / 2) : weight;
  middle.copy_(eye(sizes[0]));
}

}  // namespace swage::nn::init
