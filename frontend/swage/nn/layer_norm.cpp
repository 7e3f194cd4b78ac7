#include <swage/nn/layer_norm.hpp>

#include <swage/creation.hpp>
#include <swage/functional.hpp>

namespace swage::nn {

LayerNorm::LayerNorm(const Dims& shape, LayerNormOptions chosen) : Module(Library{}), normalized(shape), options(chosen) {
  if (!options.affine) return;
  weight = register_parameter("weight", ones(shape));
  bias = register_parameter("bias", zeros(shape));
}

Tensor LayerNorm::forward(const Tensor& x) {
  return layer_norm(x, weight.defined() ? weight.sizes() : normalized, weight, bias, options.eps);
}

}  // namespace swage::nn
