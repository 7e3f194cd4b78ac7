#include <swage/optim/adam.hpp>

#include <cmath>

#include <swage/creation.hpp>
#include <swage/index.hpp>
#include <swage/pointwise.hpp>

namespace swage::optim {

Adam::Adam(std::vector<Tensor> parameters, AdamOptions options)
    : Optimizer(std::move(parameters), options.lr, {"mean", "variance"}), options_(options) {}

const Adam::Correction& Adam::correction(std::size_t i) {
  const std::int64_t t = steps_of(i);
  if (const auto n = static_cast<double>(t); t != correction_.t)
    correction_ = {t, lr() / (1 - std::pow(options_.beta1, n)), 1 / std::sqrt(1 - std::pow(options_.beta2, n))};
  return correction_;
}

void Adam::update(const Tensor& parameter, const Tensor& gradient, std::size_t i) {
  const Tensor g = options_.weight_decay != 0 ? gradient + parameter * options_.weight_decay : gradient;
  Tensor &mean = slot(i, 0), &variance = slot(i, 1);
  if (!mean.defined()) {
    mean = zeros_like(parameter);
    variance = zeros_like(parameter);
  }
  mean.mul_(options_.beta1).add_(g * (1 - options_.beta1));
  variance.mul_(options_.beta2).add_(square(g) * (1 - options_.beta2));
  const auto& [t, step_size, root_scale] = correction(i);
  parameter.sub_(mean * step_size / (sqrt(variance) * root_scale + options_.eps));
}

void Adam::update_rows(const Tensor& parameter, const Tensor& index, const Tensor& gradient, std::size_t i) {
  Tensor &mean = slot(i, 0), &variance = slot(i, 1);
  if (!mean.defined()) {
    mean = zeros_like(parameter);
    variance = zeros_like(parameter);
  }
  const Tensor rows = index.expand(gradient.sizes());
  const Tensor mean_before = gather(mean, 0, rows), variance_before = gather(variance, 0, rows);
  const Tensor mean_now = mean_before * options_.beta1 + gradient * (1 - options_.beta1);
  const Tensor variance_now = variance_before * options_.beta2 + square(gradient) * (1 - options_.beta2);
  mean.scatter_add_(0, rows, mean_now - mean_before);
  variance.scatter_add_(0, rows, variance_now - variance_before);
  const auto& [t, step_size, root_scale] = correction(i);
  parameter.scatter_add_(0, rows, mean_now * -step_size / (sqrt(variance_now) * root_scale + options_.eps));
}

}  // namespace swage::optim
