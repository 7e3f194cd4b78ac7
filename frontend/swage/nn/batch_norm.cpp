#include <swage/nn/batch_norm.hpp>

#include <runtime/core/error.hpp>
#include <swage/creation.hpp>
#include <swage/functional.hpp>

namespace swage::nn {

BatchNorm2d::BatchNorm2d(std::int64_t channels, double chosen_eps, double chosen_momentum)
    : Module(Library{}),
      weight(ones({channels})),
      bias(zeros({channels})),
      running_mean(zeros({channels})),
      running_var(ones({channels})),
      num_batches_tracked(zeros({}, DType::i64)),
      eps(chosen_eps),
      momentum(chosen_momentum) {
  register_parameter("weight", weight);
  register_parameter("bias", bias);
  register_buffer("running_mean", running_mean);
  register_buffer("running_var", running_var);
  register_buffer("num_batches_tracked", num_batches_tracked);
}

Tensor BatchNorm2d::forward(const Tensor& x) {
  if (x.dim() != 4)
    raise<ShapeError>(SiteScope::or_else({}), "[batch_norm] takes images (N×C×H×W), not {}", to_string(x.sizes()));
  if (training()) num_batches_tracked.add_(Scalar::literal(1));
  return batch_norm(x, running_mean, running_var, weight, bias, training(), momentum, eps);
}

}  // namespace swage::nn
