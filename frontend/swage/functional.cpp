#include <swage/functional.hpp>

#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/row_gradients.hpp>
#include <swage/batch/collecting.hpp>
#include <swage/creation.hpp>
#include <swage/detail/call.hpp>
#include <swage/detail/composite.hpp>
#include <swage/detail/require_float.hpp>
#include <swage/index.hpp>
#include <swage/pointwise.hpp>

namespace swage {

using detail::reduce;
using detail::require_defined;
using detail::require_float;
using detail::reshape;

namespace {

// a less its greatest element along d. The subtrahend cancels out of the result, so no gradient flows through it.
Tensor shifted(const Tensor& a, const Dims& d) {
  Tensor greatest;
  {
    NoGradGuard no_grad;
    greatest = reduce({}, Op::amax, a, d, true);
  }
  return a - greatest;
}

Tensor log_softmax_over(const Tensor& a, int d) {
  const Tensor centred = shifted(a, {d});
  return centred - log(reduce({}, Op::sum, exp(centred), {d}, true));
}

Tensor picked(const char* op, const Tensor& log_probabilities, const Tensor& target) {
  const Dims& sizes = log_probabilities.sizes();
  if (log_probabilities.dim() != 2 || target.dim() != 1 || target.sizes()[0] != sizes[0])
    raise<ShapeError>(SiteScope::or_else({}), "[{}] takes scores (N×C) and targets (N), not {} and {}", op, to_string(sizes),
                      to_string(target.sizes()));
  if (target.dtype() != DType::i64)
    raise<DTypeError>(SiteScope::or_else({}), "[{}] targets must be i64 class numbers, not {}", op, name_of(target.dtype()));
  const Tensor rows = gather(log_probabilities, 1, reshape({}, target, {sizes[0], 1}));
  return detail::mean({}, rows, {0, 1}, false) * Scalar::literal(-1.0);
}

}  // namespace

Tensor log_softmax(const Tensor& a, int d) {
  const SiteScope scope(caller());
  require_float("log_softmax", a);
  return log_softmax_over(a, detail::wrap_dim({}, "log_softmax", d, a.dim()));
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target) {
  const SiteScope scope(caller());
  require_float("nll_loss", log_probabilities);
  require_defined({}, "nll_loss", target, "the target");
  return picked("nll_loss", log_probabilities, target);
}

Tensor mse_loss(const Tensor& a, const Tensor& b) {
  const SiteScope scope(caller());
  require_float("mse_loss", a);
  const Tensor squares = square(a - b);
  return detail::mean({}, squares, detail::all_dims(squares), false);
}

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, bool training, double momentum, double eps) {
  const SiteScope scope(caller());
  require_float("batch_norm", x);
  if (x.dim() < 2)
    raise<ShapeError>(SiteScope::or_else({}), "[batch_norm] takes (N×C) or (N×C×…), not {}", to_string(x.sizes()));
  const std::int64_t channels = x.sizes()[1];
  for (const Tensor* each : {&running_mean, &running_var, &weight, &bias})
    if (each->defined() && !(each->sizes() == Dims{channels}))
      raise<ShapeError>(SiteScope::or_else({}),
                        "[batch_norm] statistics and parameters must have shape {}, one for each "
                        "channel of {}, not {}",
                        channels, to_string(x.sizes()), to_string(each->sizes()));
  Dims kept, others;
  for (int d = 0; d < x.dim(); ++d) {
    kept.push_back(d == 1 ? channels : 1);
    if (d != 1) others.push_back(d);
  }
  const auto by_channel = [&](const Tensor& a) { return reshape({}, a, kept); };

  Tensor centred, variance;
  if (training) {
    const std::int64_t n = channels ? x.numel() / channels : 0;
    if (n < 2)
      raise<ShapeError>(SiteScope::or_else({}), "[batch_norm] training needs more than one value a channel: {}",
                        to_string(x.sizes()));
    const Tensor mean = detail::mean({}, x, others, true);
    centred = x - mean;
    variance = detail::mean({}, square(centred), others, true);
    if (running_mean.defined() && running_var.defined()) {
      NoGradGuard no_grad;
      const double unbiased = static_cast<double>(n) / static_cast<double>(n - 1);
      running_mean.mul_(1 - momentum).add_(reshape({}, mean, {channels}) * momentum);
      running_var.mul_(1 - momentum).add_(reshape({}, variance, {channels}) * Scalar::literal(unbiased) * momentum);
    }
  } else {
    if (!running_mean.defined() || !running_var.defined())
      raise<ValueError>(SiteScope::or_else({}), "[batch_norm] outside training the running statistics must be given");
    centred = x - by_channel(running_mean);
    variance = by_channel(running_var);
  }
  Tensor scale = rsqrt(variance + eps);
  if (weight.defined()) scale = scale * by_channel(weight);
  const Tensor result = centred * scale;
  return bias.defined() ? result + by_channel(bias) : result;
}

Tensor dropout(const Tensor& a, double p, bool training) {
  const SiteScope scope(caller());
  require_float("dropout", a);
  if (!(p >= 0 && p <= 1)) raise<ValueError>(SiteScope::or_else({}), "[dropout] the probability is from 0 to 1, not {}", p);
  if (grouping::Collecting* const scope_of_batch = grouping::collecting()) scope_of_batch->does_not_repeat();
  if (!training || p == 0) return a;
  if (p == 1) return a * Scalar::literal(0.0);
  return where(ge(rand(a.sizes(), a.dtype()), p), a * (1 / (1 - p)), Scalar::literal(0.0));
}

namespace {

// Of rows that were taken from a table whose gradient is kept as rows.
struct RowsGradient final : autograd::CustomGradient {
  Tensor table, index;
  Tensor gradient(const Tensor& grad_output, std::size_t) override {
    if (GradMode::enabled())
      raise<AutogradError>(SiteScope::or_else({}), "[backward] a gradient that is kept as rows cannot be differentiated again");
    autograd::add_rows(table, index, grad_output);
    return {};
  }
};

Tensor rows_on_tape(const Tensor& table, const Tensor& index, const Dims& sizes) {
  Tensor rows = no_grad([&] { return gather(table, 0, index.expand(sizes)); });
  if (!GradMode::enabled()) return rows;
  auto custom = std::make_unique<RowsGradient>();
  custom->name = "embedding";
  custom->edges.push_back(autograd::edge_to(table.value()));
  custom->table = table;
  custom->index = index;
  autograd::NodeRef node = autograd::new_node();
  node->site = SiteScope::or_else({});
  node->custom = std::move(custom);
  autograd::attach(*rows.value(), std::move(node));
  return rows;
}

}  // namespace

Tensor embedding(const Tensor& indices, const Tensor& weight) {
  const SiteScope scope(caller());
  require_defined({}, "embedding", indices, "the indices");
  require_float("embedding", weight);
  if (weight.dim() != 2)
    raise<ShapeError>(SiteScope::or_else({}), "[embedding] the weight must be a matrix, one row an index, not {}",
                      to_string(weight.sizes()));
  if (indices.dtype() != DType::i64)
    raise<DTypeError>(SiteScope::or_else({}), "[embedding] the indices must be i64, not {}", name_of(indices.dtype()));
  const std::int64_t n = indices.numel(), width = weight.sizes()[1];
  const Tensor column = reshape({}, indices, {n, 1});
  const Tensor rows = autograd::keeps_rows(weight) && !grouping::collecting() ? rows_on_tape(weight, column, {n, width})
                                                                              : gather(weight, 0, column.expand({n, width}));
  Dims sizes = indices.sizes();
  if (sizes.rank() == kMaxRank)
    raise<ShapeError>(SiteScope::or_else({}), "[embedding] indices of shape {} leave no dimension for the rows",
                      to_string(sizes));
  sizes.push_back(width);
  return reshape({}, rows, sizes);
}

}  // namespace swage
