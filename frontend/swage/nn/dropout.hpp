#pragma once

#include <swage/nn/module.hpp>

namespace swage::nn {

// In training, zeroes each element with probability p, see swage::dropout; in evaluation nothing.
class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);  // ValueError unless 0 ≤ p ≤ 1
  Tensor forward(const Tensor& x) override;

  double p;
};

}  // namespace swage::nn
