// Puts ops on the tape as they are emitted.
#pragma once

#include <runtime/engine/stream.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/node.hpp>

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
void finish_record(NodeRef node, Value& result);
void finish_in_place(NodeRef node, Value& result);

// Refuses writes that would make a gradient wrong: on leaves, through views.
void check_in_place(const OpCall& call);

}  // namespace swage::autograd
