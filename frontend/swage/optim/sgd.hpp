#pragma once

#include <swage/optim/optimizer.hpp>

namespace swage::optim {

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double weight_decay = 0;  // added to the gradient, times the parameter
  double dampening = 0;
  bool nesterov = false;
};

// Stochastic gradient descent. v ← momentum·v + (1 − dampening)·g (v ← g at first), p ← p − lr·v; with Nesterov's momentum
// p ← p − lr·(g + momentum·v) (Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013).
class SGD : public Optimizer {
 public:
  SGD(std::vector<Tensor> parameters, SGDOptions options);

 protected:
  void update(const Tensor& parameter, const Tensor& gradient, std::size_t i) override;

 private:
  SGDOptions options_;
};

}  // namespace swage::optim
