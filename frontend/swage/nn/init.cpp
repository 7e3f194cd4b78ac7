#include <swage/nn/init.hpp>

#include <cmath>
#include <span>
#include <vector>

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

namespace {

double dot(std::span<const double> a, std::span<const double> b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

}  // namespace

// Gram and Schmidt, each row twice, over normal numbers: as good as a QR decomposition at these sizes.
void orthogonal_(const Tensor& weight, double gain) {
  if (weight.dim() != 2 || weight.dtype() != DType::f32)
    raise<ValueError>(caller(), "[orthogonal_] takes an f32 matrix, not {} of shape {}", name_of(weight.dtype()),
                      to_string(weight.sizes()));
  NoGradGuard no_grad;
  const bool tall = weight.size(0) > weight.size(1);
  const Dims sizes = tall ? Dims{weight.size(1), weight.size(0)} : weight.sizes();
  const auto count = static_cast<std::size_t>(sizes[0]), width = static_cast<std::size_t>(sizes[1]);
  std::vector<double> rows = randn(sizes, DType::f64).to_vector<double>();
  const auto row = [&](std::size_t i) { return std::span(rows).subspan(i * width, width); };
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < 2 * i; ++j) {
      const auto other = row(j % i);
      const double along = dot(row(i), other);
      for (std::size_t k = 0; k < width; ++k) row(i)[k] -= along * other[k];
    }
    const double scale = 1 / std::sqrt(dot(row(i), row(i)));
    for (double& number : row(i)) number *= scale;
  }
  for (double& number : rows) number *= gain;
  const Tensor made = tensor(rows, sizes).to(DType::f32);
  weight.copy_(tall ? made.t() : made);
}

}  // namespace swage::nn::init
