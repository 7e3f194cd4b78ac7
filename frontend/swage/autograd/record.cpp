#include <swage/autograd/record.hpp>

#include <runtime/core/error.hpp>
#include <swage/autograd/rules.hpp>
#include <swage/detail/call.hpp>

namespace swage::autograd {

namespace {

void check_view_is_current(const OpCall& call, const Value& operand) {
  const GradMeta* meta = meta_of(&operand);
  const GradMeta* base = meta_of(operand.base);
  if (meta && base && meta->base_writes != base->writes)
    raise<AutogradError>(call.site,
                         "[{}] an operand is a view whose base was changed in place after the view was taken; take the "
                         "view again after the change",
                         name_of(call.op));
}

}  // namespace

NodeRef begin_record(const OpCall& call) {
  NodeRef node = new_node();
  node->op = call.op;
  node->n_operands = call.n_operands;
  node->attr = call.attr;
  node->site = call.site;
  node->scalar = call.scalar;
  node->start = call.start;
  const Rule& rule = rule_of(call.op);
  std::uint8_t saves = 0;
  for (int k = 0; k < call.n_operands; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const CallOperand& operand = call.operands[k];
    node->operands[i] = operand;
    node->operands[i].value = nullptr;
    if (!operand.value) continue;
    Edge& edge = node->edge_of_operand[i];
    if (call.op == Op::assign && k == 0) {  // what was there before counts no more
      edge.desc = operand.value->desc;
      continue;
    }
    edge = edge_to(operand.value);
    if (!edge.wanted()) continue;
    if (operand.value->base) check_view_is_current(call, *operand.value);
    saves |= rule.reads[i];
  }
  node->saves = saves;
  for (int k = 0; k < call.n_operands; ++k) {
    const auto i = static_cast<std::size_t>(k);
    Value* operand = call.operands[k].value;
    if (!operand || !(saves >> k & 1)) continue;
    Saved& saved = node->saved[i];
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

void finish_record(NodeRef node, Value& result) { attach(result, std::move(node)); }

void finish_in_place(NodeRef node, Value& result) {
  attach(result, std::move(node));
  ++meta_of(&result)->writes;
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
    const GradMeta* base = meta_of(target->base);
    refused |= base && base->writes > 0;
    if (refused)
      raise<AutogradError>(call.site,
                           "[{}_] a write through a view cannot be differentiated; build the result with cat, where or "
                           "scatter_add, or write under no_grad or to a detached tensor",
                           name);
    return;
  }
  if (requires_grad(target) && !(meta_of(target) && meta_of(target)->node))
    raise<AutogradError>(call.site,
                         "[{}_] a leaf that requires a gradient cannot be changed in place; do it under no_grad, or on a "
                         "computed tensor",
                         name);
}

}  // namespace swage::autograd
