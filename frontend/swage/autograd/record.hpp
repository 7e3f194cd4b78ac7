// Puts ops on the tape as they are emitted.
#pragma once

#include <new>

#include <runtime/engine/stream.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/node.hpp>
#include <swage/autograd/rules.hpp>

namespace swage::autograd {

// Whether the call's result will require a gradient.
inline bool wants_record(const OpCall& call) {
  std::uint32_t flags = 0;
  for (int k = 0; k < call.n_operands; ++k)
    if (const Value* value = call.operands[k].value) flags |= value->flags;
  if (!(flags & Value::kRequiresGrad) || !GradMode::enabled() || !info(call.op).differentiable) return false;
  return call.op != Op::cast || is_float(attribute_of(call.attr).dtype);
}

// The node of a call that is about to be emitted, with edges and saved operands. What an in-place op overwrites and its rule
// reads is copied first.
NodeRef begin_record(const OpCall& call);
inline void finish_record(NodeRef node, Value& result) { attach(result, std::move(node)); }
void finish_in_place(NodeRef node, Value& result);

[[noreturn]] void view_is_stale(Op op, CallSite site);

// Points edge k at the operand and notes what its gradient will read.
inline void connect(Node& node, std::size_t k, Value& operand, const Rule& rule) {
  Edge& edge = node.edge_of_operand[k];
  edge.point_at(operand);
  if (!edge.wanted()) return;
  if (operand.base && operand.autograd && operand.tape_writes != operand.base->tape_writes) [[unlikely]]
    view_is_stale(node.op, node.site);
  node.saves |= rule.reads[k];
}

// As begin_record, for ops whose operands are tensors and which write nothing.
template <std::size_t N>
NodeRef begin_record(Op op, CallSite site, const std::array<Value*, N>& operands) {
  NodeRef node = new_node();
  node->op = op;
  node->n_operands = N;
  node->site = site;
  const Rule& rule = rule_of(op);
  for (std::size_t k = 0; k < N; ++k) connect(*node, k, *operands[k], rule);
  for (std::size_t k = 0; k < N; ++k)
    if (node->saves >> k & 1) new (&node->saved[k]) Saved{ValueRef::share(operands[k]), operands[k]->owner()->version};
  return node;
}

// Refuses writes that would make a gradient wrong: on leaves, through views.
void check_in_place(const OpCall& call);

}  // namespace swage::autograd
