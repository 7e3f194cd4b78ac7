#include <swage/nn/sequential.hpp>

namespace swage::nn {

Tensor Sequential::forward(const Tensor& x) {
  Tensor result = x;
  for (const auto& module : modules_) result = (*module)(result);
  return result;
}

}  // namespace swage::nn
