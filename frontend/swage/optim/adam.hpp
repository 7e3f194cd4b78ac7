#pragma once

#include <swage/optim/optimizer.hpp>

namespace swage::optim {

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;  // added to the gradient, times the parameter
};

// Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, with bias correction:
// p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + eps).
// Of a gradient that is kept as rows (autograd/row_gradients.hpp) those rows alone are moved, their moments too: rows that a step does not use
// stay as they are. With weight decay all rows move. t counts the steps since the parameter joined.
class Adam : public Optimizer {
 public:
  explicit Adam(std::vector<Tensor> parameters, AdamOptions options = {});
  bool is_scale(std::size_t k) const override { return k == 1; }  // the mean of squares

 protected:
  void begin_step() override { correction_ = {}; }
  void update(const Tensor& parameter, const Tensor& gradient, std::size_t i) override;
  bool knows_rows() const override { return options_.weight_decay == 0; }
  void update_rows(const Tensor& parameter, const Tensor& index, const Tensor& gradient, std::size_t i) override;

 private:
  struct Correction {
    std::int64_t t = 0;
    double step_size = 0, root_scale = 0;
  };
  const Correction& correction(std::size_t i);

  AdamOptions options_;
  Correction correction_;  // in the running step, of the count asked for last: that of nearly all parameters
};

}  // namespace swage::optim
