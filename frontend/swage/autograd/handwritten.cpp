#include <swage/autograd/handwritten.hpp>

#include <runtime/core/error.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/rules.hpp>
#include <swage/detail/call.hpp>

namespace swage::autograd {

Tensor Handwritten::record(std::unique_ptr<Handwritten> rule, detail::PoolVector<Tensor> operands, const Tensor& result,
                           bool reads_result) {
  if (!GradMode::enabled()) return result;
  bool wanted = false;
  for (const Tensor& operand : operands) {
    rule->edges.push_back(operand.defined() ? edge_to(operand.value()) : Edge());
    rule->versions_.push_back(operand.defined() ? operand.value()->owner()->version : 0);
    wanted |= rule->edges.back().wanted();
  }
  if (!wanted) return result;
  rule->operands_ = std::move(operands);
  NodeRef node = new_node();
  node->site = SiteScope::or_else({});
  if (reads_result) node->saves = kSavesResult;
  rule->node_ = node.get();
  node->custom = std::move(rule);
  attach(*result.value(), std::move(node));
  return result;
}

const Tensor& Handwritten::operand(std::size_t k) const {
  const Tensor& operand = operands_[k];
  if (operand.value()->owner()->version != versions_[k])
    raise<AutogradError>(SiteScope::or_else({}),
                         "[backward] an operand of [{}], called at {}, was changed in place after the call, and the gradient "
                         "needs it; change a clone() of it, or change it after backward",
                         name, describe(node_->site));
  return operand;
}

Tensor Handwritten::result() const { return RuleContext(*node_, Tensor()).result(); }

Tensor over(Op op, const Tensor& a, const Tensor& b) {
  return GradMode::enabled() ? detail::binary({}, op, a, b) : detail::call_in_place({}, op, {a, b});
}
Tensor over(Op op, const Tensor& a, Scalar b) {
  return GradMode::enabled() ? detail::binary({}, op, a, b) : detail::call_in_place({}, op, {a, b});
}
Tensor over(Op op, const Tensor& a) {
  return GradMode::enabled() ? detail::unary({}, op, a) : detail::call_in_place({}, op, {a});
}

}  // namespace swage::autograd
