#include <swage/autograd/rules.hpp>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/detail/call.hpp>

namespace swage::autograd {

std::atomic<const RuleTable*> rule_table = nullptr;

const RuleTable& make_rule_table() {
  static const RuleTable& table = *[] {
    auto* made = new RuleTable;
    add_pointwise_rules(*made);
    add_reduction_rules(*made);
    add_contraction_rules(*made);
    add_view_and_index_rules(*made);
    return made;
  }();
  rule_table.store(&table, std::memory_order_release);
  return table;
}

namespace {

[[noreturn]] void changed(const Node& node, const char* what) {
  raise<AutogradError>(SiteScope::or_else({}),
                       "[backward] {} of [{}], called at {}, was changed in place after the call, and the gradient needs it; "
                       "change a clone() of it, or change it after backward",
                       what, node.name(), describe(node.site));
}

}  // namespace

Tensor RuleContext::tensor(int k) const {
  const Saved& saved = node_.saved[static_cast<std::size_t>(k)];
  invariant(static_cast<bool>(saved.value), "a gradient rule reads an operand that it does not declare");
  if (saved.value->owner()->version != saved.version) changed(node_, k == 0 ? "the first operand" : "an operand");
  return Tensor(saved.value);
}

Scalar RuleContext::scalar(int k) const {
  const ScalarOperand& operand = node_.scalars[static_cast<std::size_t>(k)];
  if (operand.ref == kScalarSlot) return Scalar::restored(operand.scalar_class, node_.scalar, false);
  return Scalar::literal(attribute().real);
}

Tensor RuleContext::result() const {
  if (!node_.result || node_.result->owner()->version != node_.result_version) changed(node_, "the result");
  if (!node_.owns_result) return Tensor(ValueRef::share(node_.result));
  if (!GradMode::enabled()) return Tensor(ValueRef::share(node_.result));
  // The handles are gone and with them the way from the value to its node; a second-order tape needs it again.
  Value* value = node_.result;
  node_.owns_result = false;
  ++node_.refs;
  bind(*value, node_);
  return Tensor(ValueRef::adopt(value));
}

Tensor sum_to(const Tensor& gradient, const Dims& sizes) {
  const Dims& from = gradient.sizes();
  if (from == sizes) return gradient;
  const int leading = from.rank() - sizes.rank();
  detail::Ints ints{1};
  bool any = false;
  for (int d = 0; d < from.rank(); ++d)
    if (d < leading || (sizes[d - leading] == 1 && from[d] != 1)) {
      ints.push_back(d);
      any = true;
    }
  Tensor summed = gradient;
  if (any) {
    const detail::Attr attr{.ints = ints, .dtype = DType::f32};
    summed = detail::call({}, Op::sum, {gradient}, &attr);
  }
  if (summed.sizes() == sizes) return summed;
  // Either the leading dimensions go, or the gradient is smaller than the operand (a rule may leave broadcasting to us).
  if (summed.numel() == sizes.product()) return summed.reshape(sizes);
  return summed.expand(sizes);
}

}  // namespace swage::autograd
