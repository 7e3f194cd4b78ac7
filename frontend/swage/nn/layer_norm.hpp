#pragma once

#include <swage/nn/module.hpp>

namespace swage::nn {

struct LayerNormOptions {
  double eps = 1e-5;
  bool affine = true;  // with weight and bias
};

// Normalises over the last dimensions, see swage::layer_norm. weight starts as 1, bias as 0; both of shape `normalized`, until they grow
// (nn/growth.hpp): then their shape counts.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(const Dims& normalized, LayerNormOptions options = {});
  explicit LayerNorm(std::int64_t width, LayerNormOptions options = {}) : LayerNorm(Dims{width}, options) {}
  Tensor forward(const Tensor& x) override;

  Dims normalized;
  LayerNormOptions options;
  Tensor weight, bias;  // undefined without
};

}  // namespace swage::nn
