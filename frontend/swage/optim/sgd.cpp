#include <swage/optim/sgd.hpp>

#include <runtime/core/error.hpp>
#include <swage/pointwise.hpp>

namespace swage::optim {

SGD::SGD(std::vector<Tensor> parameters, SGDOptions options)
    : Optimizer(std::move(parameters), options.lr, {"momentum"}), options_(options) {
  if (options.nesterov && (options.momentum <= 0 || options.dampening != 0))
    raise<ValueError>(SiteScope::or_else({}), "[SGD] Nesterov's momentum needs a momentum above 0 and no dampening");
}

void SGD::update(const Tensor& parameter, const Tensor& gradient, std::size_t i) {
  Tensor g = options_.weight_decay != 0 ? gradient + parameter * options_.weight_decay : gradient;
  if (options_.momentum != 0) {
    Tensor& velocity = slot(i, 0);
    if (!velocity.defined())
      velocity = g.clone();
    else if (options_.dampening != 0)
      velocity.mul_(options_.momentum).add_(g * (1 - options_.dampening));
    else
      velocity.mul_(options_.momentum).add_(g);
    g = options_.nesterov ? g + velocity * options_.momentum : velocity;
  }
  parameter.sub_(g * lr());
}

}  // namespace swage::optim
