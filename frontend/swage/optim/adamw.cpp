#include <swage/optim/adamw.hpp>

namespace swage::optim {

AdamW::AdamW(std::vector<Tensor> parameters, AdamWOptions options)
    : Adam(std::move(parameters),
           {.lr = options.lr, .beta1 = options.beta1, .beta2 = options.beta2, .eps = options.eps, .weight_decay = 0}),
      weight_decay_(options.weight_decay) {}

void AdamW::update(const Tensor& parameter, const Tensor& gradient, std::size_t i) {
  if (weight_decay_ != 0) parameter.mul_(1 - lr() * weight_decay_);
  Adam::update(parameter, gradient, i);
}

}  // namespace swage::optim
