// Puts ops on the tape as they are emitted.
#pragma once

#include <span>

#include <runtime/engine/recorder.hpp>
#include <runtime/engine/stream.hpp>
#include <swage/autograd/grad_mode.hpp>
#include <swage/autograd/macro.hpp>
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

// Of a view: whether its base has been changed in place, on the tape, since it was taken.
inline bool is_stale(const Value& view) {
  return view.autograd && (view.flags & Value::kRequiresGrad) && view.tape_writes != view.base->tape_writes;
}
[[noreturn]] void view_is_stale(Op op, CallSite site);

// Points edge k at the operand and notes what its gradient will read.
inline void connect(Node& node, std::size_t k, Value& operand, const Rule& rule) {
  Edge& edge = node.edge_of_operand[k];
  edge.point_at(operand);
  if (!edge.wanted()) return;
  if (operand.base && is_stale(operand)) [[unlikely]]
    view_is_stale(node.op, node.site);
  node.saves |= rule.reads[k];
}

// What is put on the tape of an op that a known path expects, beside its operands.
struct Expected {
  Op op;
  CallSite site;
  ScalarValue scalar{};
  std::int64_t start = 0;
};

// Defers an op that the path expects, with its node: begin_record and finish_record in one stretch. Operands are null where they are
// scalars; `defer` takes the record and gives its result. Nothing has changed if it raises.
template <class Defer>
[[gnu::always_inline]] inline Value* defer_recorded(const Expected& expected, std::span<Value* const> operands, Defer&& defer) {
  for (const Value* operand : operands)
    if (operand && operand->base && is_stale(*operand)) [[unlikely]]
      view_is_stale(expected.op, expected.site);
  if (!free_values) [[unlikely]]
    refill_values();
  Node& node = *make_node();
  const Recorder& at = *recorder;
  const KeyHalf& key = at.next->key;
  node.op = expected.op;
  node.n_operands = static_cast<std::uint8_t>(operands.size());
  node.attr = key.attr;
  node.site = expected.site;
  node.scalar = expected.scalar;
  node.start = expected.start;
  node.tag = at.next_tag;
  const Rule& rule = rule_of(expected.op);
  std::uint8_t saves = 0;
  TapeWord word(node.tag - at.first_tag, operands.size());
  for (std::size_t k = 0; k < operands.size(); ++k) {
    if (!operands[k]) {
      node.scalars[k] = {static_cast<std::int8_t>(key.operands[k].ref), static_cast<DType>(key.operands[k].desc)};
      continue;
    }
    Edge& edge = node.edge_of_operand[k];
    edge.point_at(*operands[k]);
    if (!edge.wanted()) continue;
    saves |= rule.reads[k];
    word.add(k, edge, at.first_tag);
  }
  node.saves = saves;
  if (saves & ~kSavesResult)
    for (std::size_t k = 0; k < operands.size(); ++k)
      if (operands[k] && saves >> k & 1) {
        node.saved[k].value = ValueRef::share(operands[k]);
        node.saved[k].version = operands[k]->owner()->version;
      }
  Value* const result = defer();
  node.meta.value = result;
  node.meta.node = &node;
  result->autograd = &node.meta;
  result->flags |= Value::kRequiresGrad;
  node.result = result;
  node.result_desc = result->desc;
  node.result_version = 0;
  if (const Value* const base = result->base) {
    result->tape_writes = base->tape_writes;
    node.result_version = base->version;
  }
  note(word, at.first_tag, node);
  return result;
}

// Refuses writes that would make a gradient wrong: on leaves, through views.
void check_in_place(const OpCall& call);

}  // namespace swage::autograd
