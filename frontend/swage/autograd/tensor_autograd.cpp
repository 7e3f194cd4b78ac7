// The differentiation members of Tensor.
#include <runtime/engine/collector.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/node.hpp>
#include <swage/autograd/row_gradients.hpp>
#include <swage/detail/call.hpp>
#include <swage/tensor.hpp>

namespace swage {

using autograd::meta_of;

bool Tensor::is_leaf() const { return !defined() || !autograd::node_of(value()); }

Tensor Tensor::requires_grad_(bool requires_grad) const {
  const CallSite site = SiteScope::or_else(caller());
  detail::require_defined(site, "requires_grad_", *this, "the tensor");
  if (collector) collector->settle(site);
  if (requires_grad && !is_float(dtype()))
    raise<DTypeError>(site, "[requires_grad_] only f32 and f64 can be differentiated, not {}", name_of(dtype()));
  if (!requires_grad && !is_leaf())
    raise<AutogradError>(site, "[requires_grad_] a computed tensor always requires its gradient; use detach()");
  if (requires_grad) {
    value_->flags.set(Value::kRequiresGrad);
    autograd::ensure_meta(*value_);
  } else {
    value_->flags.clear(Value::kRequiresGrad);
  }
  return *this;
}

namespace {

// Rows and whatever else has been added up.
Tensor dense_gradient(const Tensor& table) {
  const Tensor rows = autograd::dense_rows(table);
  const ValueRef& rest = meta_of(table.value())->grad;
  if (rest) detail::call_in_place({}, Op::add, {rows, Tensor(rest)});
  return rows;
}

}  // namespace

Tensor Tensor::grad() const {
  if (!defined() || !value_->autograd) return {};
  if (autograd::has_rows(*this)) return dense_gradient(*this);
  return Tensor(meta_of(value())->grad);
}

void Tensor::set_grad(const Tensor& grad) const {
  const CallSite site = SiteScope::or_else(caller());
  detail::require_defined(site, "set_grad", *this, "the tensor");
  if (grad.defined() && (!(grad.sizes() == sizes()) || grad.dtype() != dtype()))
    raise<ShapeError>(site, "[set_grad] the gradient must be {} of shape {}, not {} of shape {}", name_of(dtype()),
                      to_string(sizes()), name_of(grad.dtype()), to_string(grad.sizes()));
  if (!grad.defined() && !value_->autograd) return;
  autograd::drop_rows(*this);
  autograd::ensure_meta(*value_).grad = grad.ref();
}

Tensor Tensor::detach() const {
  const CallSite site = caller();
  detail::require_defined(site, "detach", *this);
  NoGradGuard no_grad;
  return detail::call(site, Op::alias, {*this});
}

}  // namespace swage
