#include <swage/optim/clip.hpp>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/row_gradients.hpp>
#include <swage/pointwise.hpp>
#include <swage/reduce.hpp>

namespace swage::optim {

Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double greatest) {
  const SiteScope scope(caller());
  if (!(greatest >= 0))
    raise<ValueError>(SiteScope::or_else({}), "[clip_grad_norm_] the norm must be at least 0, not {}", greatest);
  NoGradGuard no_grad;
  std::vector<Tensor> gradients;
  Tensor total;
  for (const Tensor& parameter : parameters) {
    const Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    if (autograd::has_rows(parameter)) parameter.set_grad(gradient);  // dense from here on
    const Tensor squares = sum(square(gradient));
    total = total.defined() ? total + squares : squares;
    gradients.push_back(gradient);
  }
  if (gradients.empty()) raise<ValueError>(SiteScope::or_else({}), "[clip_grad_norm_] no parameter has a gradient");
  const Tensor norm = sqrt(total);
  const Tensor scale = minimum(greatest / (norm + Scalar::literal(1e-6)), Scalar::literal(1.0));
  for (const Tensor& gradient : gradients) gradient.mul_(scale);
  return norm;
}

}  // namespace swage::optim
