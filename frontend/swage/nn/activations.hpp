// Modules without state, for use in a Sequential.
#pragma once

#include <swage/nn/module.hpp>

namespace swage::nn {

struct ReLU : Module {
  ReLU() : Module(Library{}) {}
  Tensor forward(const Tensor& x) override;
};
struct Tanh : Module {
  Tanh() : Module(Library{}) {}
  Tensor forward(const Tensor& x) override;
};
struct Sigmoid : Module {
  Sigmoid() : Module(Library{}) {}
  Tensor forward(const Tensor& x) override;
};
// The tanh form, see swage::gelu.
struct GELU : Module {
  GELU() : Module(Library{}) {}
  Tensor forward(const Tensor& x) override;
};
// (N,…) → (N, rest).
struct Flatten : Module {
  Flatten() : Module(Library{}) {}
  Tensor forward(const Tensor& x) override;
};
// The mean over each image: (N,C,H,W) → (N,C).
struct GlobalAveragePool : Module {
  GlobalAveragePool() : Module(Library{}) {}
  Tensor forward(const Tensor& x) override;
};

}  // namespace swage::nn
