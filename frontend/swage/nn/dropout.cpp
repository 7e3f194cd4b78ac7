#include <swage/nn/dropout.hpp>

#include <runtime/core/error.hpp>
#include <swage/functional.hpp>

namespace swage::nn {

Dropout::Dropout(double probability) : Module(Library{}), p(probability) {
  if (!(p >= 0 && p <= 1))
    raise<ValueError>(SiteScope::or_else(caller()), "[dropout] the probability is from 0 to 1, not {}", p);
}

Tensor Dropout::forward(const Tensor& x) { return dropout(x, p, training()); }

}  // namespace swage::nn
