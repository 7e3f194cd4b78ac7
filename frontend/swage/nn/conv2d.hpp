#pragma once

#include <swage/nn/module.hpp>
#include <swage/products.hpp>

namespace swage::nn {

struct Conv2dOptions {
  Pair stride = 1, padding = 0;
  bool bias = true;
};

// (N,C,H,W) → (N,O,H′,W′), see swage::conv2d. weight (O,C,h,w) and bias (O) start uniform within ±1/√(C·h·w).
class Conv2d : public Module {
 public:
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, Pair kernel, Conv2dOptions options = {});
  Tensor forward(const Tensor& x) override;

  Tensor weight, bias;  // bias is undefined without one
  Conv2dOptions options;
};

}  // namespace swage::nn
