#pragma once

#include <swage/nn/module.hpp>

namespace swage::nn {

// Normalises each channel of (N,C,H,W), see swage::batch_norm. weight starts as 1, bias as 0, the running mean as 0 and the running
// variance as 1; all (C). num_batches_tracked (i64) counts the batches seen in training.
class BatchNorm2d : public Module {
 public:
  explicit BatchNorm2d(std::int64_t channels, double eps = 1e-5, double momentum = 0.1);
  Tensor forward(const Tensor& x) override;

  Tensor weight, bias, running_mean, running_var, num_batches_tracked;
  double eps, momentum;
};

}  // namespace swage::nn
