#pragma once

#include <swage/nn/module.hpp>

namespace swage::nn {

// x·Wᵀ + b: (…,in) → (…,out). weight (out,in) and bias (out) start uniform within ±1/√in.
class Linear : public Module {
 public:
  Linear(std::int64_t in_features, std::int64_t out_features, bool with_bias = true);
  Tensor forward(const Tensor& x) override;

  Tensor weight, bias;  // bias is undefined without one
};

}  // namespace swage::nn
