#pragma once

#include <swage/optim/adam.hpp>

namespace swage::optim {

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;
};

// Adam with the decay beside the gradient (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019):
// p ← p·(1 − lr·weight_decay), then the step of Adam.
class AdamW : public Adam {
 public:
  explicit AdamW(std::vector<Tensor> parameters, AdamWOptions options = {});

 protected:
  bool knows_rows() const override { return weight_decay_ == 0; }
  void update(const Tensor& parameter, const Tensor& gradient, std::size_t i) override;

 private:
  double weight_decay_;
};

}  // namespace swage::optim
