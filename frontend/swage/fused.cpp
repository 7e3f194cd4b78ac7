// Softmax, cross-entropy, layer norm and GELU: few passes over memory forwards and backwards, see autograd/handwritten.hpp.
#include <array>
#include <cmath>
#include <numbers>

#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/handwritten.hpp>
#include <swage/batch/collecting.hpp>
#include <swage/detail/composite.hpp>
#include <swage/detail/require_float.hpp>
#include <swage/functional.hpp>
#include <swage/index.hpp>
#include <swage/pointwise.hpp>

namespace swage {

using autograd::Handwritten;
using autograd::over;
using detail::reduce;
using detail::require_defined;
using detail::require_float;

namespace {

Scalar lit(double number) { return Scalar::literal(number); }

struct SoftmaxGradient final : Handwritten {
  explicit SoftmaxGradient(int along) : Handwritten("softmax"), d(along) {}
  // y·(g − Σ g·y)
  Tensor gradient(const Tensor& grad, std::size_t) override {
    const Tensor y = result();
    return over(Op::mul, grad - reduce({}, Op::sum, grad * y, {d}, true), y);
  }
  int d;
};

// exp(a − greatest) along d. The subtrahend cancels out of every use, so no gradient flows through it.
struct Powers {
  Tensor greatest, powers;
};
Powers powers_of(const Tensor& a, int d) {
  Powers result;
  {
    NoGradGuard no_grad;
    result.greatest = reduce({}, Op::amax, a, {d}, true);
  }
  result.powers = over(Op::exp, a - result.greatest);
  return result;
}

struct CrossEntropyGradient final : Handwritten {
  CrossEntropyGradient() : Handwritten("cross_entropy") {}
  // (softmax − 1 at the target)·g/N
  Tensor gradient(const Tensor& grad, std::size_t) override {
    const Tensor& logits = operand(0);
    const bool again = GradMode::enabled();
    const Tensor exps = again ? powers_of(logits, 1).powers : powers;
    const Tensor sums = again ? reduce({}, Op::sum, exps, {1}, true) : total;
    const std::int64_t rows = logits.sizes()[0];
    const Tensor share = by_row ? grad.reshape({rows, 1}) : grad * lit(1.0 / static_cast<double>(rows));
    const Tensor spread = by_row ? share : share.reshape({1, 1});
    const Tensor ramp = detail::iota({}, {1, logits.sizes()[1]}, 1, DType::i64);
    const Tensor at_target = where(eq(ramp, target), spread.expand(logits.sizes()), lit(0));
    return over(Op::sub, exps * (share / sums), at_target);
  }
  void free_saved() noexcept override {
    Handwritten::free_saved();
    powers = total = target = {};
  }
  Tensor powers, total;  // (N,C) and (N,1)
  Tensor target;         // (N,1)
  bool by_row = false;   // the result is (N), not its mean
};

// (x − mean)/√(variance + eps) over the last dimensions.
struct Normalised {
  Tensor result, scale;  // scale: 1/√(variance + eps), one a row
};
Tensor scale_of(const Tensor& centred, const Dims& d, double eps) {
  return rsqrt(detail::mean({}, square(centred), d, true) + eps);
}
Normalised normalised(const Tensor& x, const Dims& d, double eps) {
  const Tensor centred = x - detail::mean({}, x, d, true);
  const Tensor scale = scale_of(centred, d, eps);
  return {over(Op::mul, centred, scale), scale};
}

struct NormGradient final : Handwritten {
  NormGradient(const Dims& over_dims, double added) : Handwritten("layer_norm"), d(over_dims), eps(added) {}
  // scale·(g − mean g − y·mean(g·y))
  Tensor gradient(const Tensor& grad, std::size_t) override {
    const Tensor y = result();
    const Tensor& x = operand(0);
    const Tensor by = GradMode::enabled() ? scale_of(x - detail::mean({}, x, d, true), d, eps) : scale;
    const Tensor centred = grad - detail::mean({}, grad, d, true);
    return over(Op::mul, over(Op::sub, centred, y * detail::mean({}, grad * y, d, true)), by);
  }
  void free_saved() noexcept override {
    Handwritten::free_saved();
    scale = {};
  }
  Dims d;
  double eps;
  Tensor scale;
};

// gelu(x) = x·sigmoid(u), u = x·(kLinear + kCubic·x²).
constexpr double kLinear = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi, kCubic = 0.044715 * kLinear;

// x·(kLinear + cubic·x²)
Tensor odd_cubic(const Tensor& x, double cubic) {
  return over(Op::mul, over(Op::add, over(Op::mul, square(x), lit(cubic)), lit(kLinear)), x);
}
Tensor gate_of(const Tensor& x) { return over(Op::sigmoid, odd_cubic(x, kCubic)); }

struct GeluGradient final : Handwritten {
  GeluGradient() : Handwritten("gelu") {}
  // g·(s − (s² − s)·x·u′), s = sigmoid(u)
  Tensor gradient(const Tensor& grad, std::size_t) override {
    const Tensor& x = operand(0);
    const Tensor s = GradMode::enabled() ? gate_of(x) : gate;
    const Tensor slope = over(Op::mul, odd_cubic(x, 3 * kCubic), over(Op::sub, square(s), s));
    return over(Op::mul, s - slope, grad);
  }
  void free_saved() noexcept override {
    Handwritten::free_saved();
    gate = {};
  }
  Tensor gate;
};

}  // namespace

Tensor softmax(const Tensor& a, int d) {
  const SiteScope scope(caller());
  require_float("softmax", a);
  const int at = detail::wrap_dim({}, "softmax", d, a.dim());
  if (grouping::Collecting* const scope_of_batch = grouping::collecting())
    return scope_of_batch->composite(grouping::Composite::softmax, detail::attribute_id({at}, DType::f32, 0), {&a, 1},
                                     a.value()->desc, SiteScope::or_else({}));
  const Tensor result = no_grad([&] {
    const Tensor powers = powers_of(a, at).powers;
    // A division a row, not one an element.
    return over(Op::mul, powers, over(Op::reciprocal, reduce({}, Op::sum, powers, {at}, true)));
  });
  return Handwritten::record(std::make_unique<SoftmaxGradient>(at), {a}, result, true);
}

Tensor cross_entropy(const Tensor& logits, const Tensor& target, Reduction reduction) {
  const SiteScope scope(caller());
  require_float("cross_entropy", logits);
  require_defined({}, "cross_entropy", target, "the target");
  if (logits.dim() != 2 || target.dim() != 1 || target.sizes()[0] != logits.sizes()[0])
    raise<ShapeError>(SiteScope::or_else({}), "[cross_entropy] takes logits (N×C) and targets (N), not {} and {}",
                      to_string(logits.sizes()), to_string(target.sizes()));
  if (target.dtype() != DType::i64)
    raise<DTypeError>(SiteScope::or_else({}), "[cross_entropy] targets must be i64 class numbers, not {}",
                      name_of(target.dtype()));
  if (grouping::Collecting* const scope_of_batch = grouping::collecting()) {
    const std::int64_t rows = logits.sizes()[0];
    Tensor losses = scope_of_batch->composite(grouping::Composite::cross_entropy, 0, std::array{logits, target},
                                              intern(logits.dtype(), {rows}), SiteScope::or_else({}));
    if (reduction == Reduction::none) return losses;
    if (rows == 1) return losses.reshape({});
    return reduction == Reduction::mean ? detail::mean({}, losses, {0}, false) : reduce({}, Op::sum, losses, {0}, false);
  }
  if (reduction == Reduction::sum) return reduce({}, Op::sum, cross_entropy(logits, target, Reduction::none), {0}, false);
  auto rule = std::make_unique<CrossEntropyGradient>();
  rule->by_row = reduction == Reduction::none;
  const Tensor result = no_grad([&] {
    rule->target = detail::reshape({}, target, {target.sizes()[0], 1});
    const Tensor picked = gather(logits, 1, rule->target);
    const Powers parts = powers_of(logits, 1);
    rule->powers = parts.powers;
    rule->total = reduce({}, Op::sum, parts.powers, {1}, true);
    const Tensor losses = log(rule->total) - (picked - parts.greatest);
    return rule->by_row ? detail::reshape({}, losses, {target.sizes()[0]}) : detail::mean({}, losses, {0, 1}, false);
  });
  return Handwritten::record(std::move(rule), {logits}, result, false);
}

Tensor layer_norm(const Tensor& x, const Dims& normalized, const Tensor& weight, const Tensor& bias, double eps) {
  const SiteScope scope(caller());
  require_float("layer_norm", x);
  const int lead = x.dim() - normalized.rank();
  bool fits = normalized.rank() > 0 && lead >= 0;
  Dims last;
  for (int d = 0; fits && d < normalized.rank(); ++d) {
    fits = x.sizes()[lead + d] == normalized[d];
    last.push_back(lead + d);
  }
  if (!fits)
    raise<ShapeError>(SiteScope::or_else({}), "[layer_norm] the last extents of {} must be {}", to_string(x.sizes()),
                      to_string(normalized));
  for (const Tensor* each : {&weight, &bias})
    if (each->defined() && !(each->sizes() == normalized))
      raise<ShapeError>(SiteScope::or_else({}), "[layer_norm] weight and bias must have shape {}, not {}",
                        to_string(normalized), to_string(each->sizes()));
  Tensor result;
  if (grouping::Collecting* const scope_of_batch = grouping::collecting()) {
    result = scope_of_batch->composite(grouping::Composite::layer_norm,
                                       detail::attribute_id(detail::Ints(normalized), DType::f32, eps), {&x, 1},
                                       x.value()->desc, SiteScope::or_else({}));
  } else {
    auto rule = std::make_unique<NormGradient>(last, eps);
    const Normalised parts = no_grad([&] { return normalised(x, last, eps); });
    rule->scale = parts.scale;
    result = Handwritten::record(std::move(rule), {x}, parts.result, true);
  }
  if (weight.defined()) result = result * weight;
  return bias.defined() ? result + bias : result;
}

Tensor gelu(const Tensor& a) {
  const SiteScope scope(caller());
  require_float("gelu", a);
  if (grouping::Collecting* const scope_of_batch = grouping::collecting())
    return scope_of_batch->composite(grouping::Composite::gelu, 0, {&a, 1}, a.value()->desc, SiteScope::or_else({}));
  auto rule = std::make_unique<GeluGradient>();
  const bool kept = GradMode::enabled() && a.requires_grad();
  const Tensor result = no_grad([&] {
    const Tensor gate = gate_of(a);
    if (!kept) return over(Op::mul, gate, a);
    rule->gate = gate;
    return gate * a;
  });
  return Handwritten::record(std::move(rule), {a}, result, false);
}

}  // namespace swage
