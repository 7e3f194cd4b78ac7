#include <swage/autograd/record.hpp>

#include <runtime/core/error.hpp>
#include <swage/autograd/rules.hpp>
#include <swage/detail/call.hpp>

namespace swage::autograd {

void view_is_stale(Op op, CallSite site) {
  raise<AutogradError>(site,
                       "[{}] an operand is a view whose base was changed in place after the view was taken; take the "
                       "view again after the change",
                       name_of(op));
}

NodeRef begin_record(const OpCall& call) {
  NodeRef node = new_node();
  node->op = call.op;
  node->n_operands = call.n_operands;
  node->attr = call.attr;
  node->site = call.site;
  node->scalar = call.scalar;
  node->start = call.start;
  const Rule& rule = rule_of(call.op);
  for (int k = 0; k < call.n_operands; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const CallOperand& operand = call.operands[k];
    if (!operand.value)
      node->scalars[i] = {static_cast<std::int8_t>(operand.ref), operand.scalar_class};
    else if (call.op == Op::assign && k == 0)  // what was there before counts no more
      node->edge_of_operand[i].desc = operand.value->desc;
    else
      connect(*node, i, *operand.value, rule);
  }
  for (int k = 0; k < call.n_operands; ++k) {
    Value* operand = call.operands[k].value;
    if (!operand || !(node->saves >> k & 1)) continue;
    Saved& saved = node->saved[static_cast<std::size_t>(k)];
    if (call.in_place && operand == call.operands[0].value)
      saved.value = detail::call(call.site, Op::copy, {Tensor(ValueRef::share(operand))}).take();
    else
      saved.value = ValueRef::share(operand);
    saved.version = saved.value->owner()->version;
  }
  if (call.in_place) {
    // The copies above are older ops than this one.
    NodeRef younger = new_node();
    node->sequence = younger->sequence;
  }
  return node;
}

void finish_in_place(NodeRef node, Value& result) {
  attach(result, std::move(node));
  ++result.tape_writes;
}

void check_in_place(const OpCall& call) {
  if (!GradMode::enabled() || !info(call.op).differentiable) return;
  const Value* target = call.operands[0].value;
  const auto requires_grad = [](const Value* value) { return value && (value->flags & Value::kRequiresGrad); };
  const std::string_view name = call.op == Op::assign ? "copy" : name_of(call.op);
  if (target->base) {
    bool refused = requires_grad(target);
    for (int k = 1; k < call.n_operands; ++k) refused |= requires_grad(call.operands[k].value);
    // A detached view may be written, unless the base has since taken in-place results onto the tape.
    refused |= target->base->tape_writes > 0;
    if (refused)
      raise<AutogradError>(call.site,
                           "[{}_] a write through a view cannot be differentiated; build the result with cat, where or "
                           "scatter_add, or write under no_grad or to a detached tensor",
                           name);
    return;
  }
  if (requires_grad(target) && !node_of(target))
    raise<AutogradError>(call.site,
                         "[{}_] a leaf that requires a gradient cannot be changed in place; do it under no_grad, or on a "
                         "computed tensor",
                         name);
}

}  // namespace swage::autograd
