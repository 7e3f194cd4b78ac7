#include <swage/batch/collecting.hpp>

#include <algorithm>
#include <array>

#include <runtime/engine/recorder.hpp>
#include <runtime/ops/inference.hpp>
#include <swage/autograd/node.hpp>
#include <swage/autograd/record.hpp>
#include <swage/batch/run.hpp>
#include <swage/detail/call.hpp>

namespace swage::grouping {
namespace {

// Of graphs and bodies; no two of a thread have one.
constinit thread_local std::uint64_t last_epoch = kFirstCollectedEpoch;

bool requires_grad(const Value& value) { return value.flags & Value::kRequiresGrad; }

// Whether a tensor from outside is the same for all instances that use it so: a parameter, or what stands where weights do.
bool stands_for_all(Op op, int k, const Value& value) {
  if (requires_grad(value) && !autograd::node_of(value.owner())) return true;
  switch (op) {
    case Op::matmul:
    case Op::conv2d: return k == 1;
    case Op::gather: return k == 0;
    default: return false;
  }
}

DescId row_major(DescId id) {
  const ViewDesc& desc = desc_of(id);
  return desc.contiguous() ? id : intern(desc.dtype, desc.dims);
}

// Inference depends on these alone; what it gave is remembered.
struct Inferred {
  KeyHalf key;
  DescId result = 0;
};
DescId infer_result(const OpCall& call) {
  static thread_local std::array<Inferred, 512> cache;
  KeyHalf key;
  key.op = call.op;
  key.n_operands = call.n_operands;
  key.attr = call.attr;
  OperandType types[3];
  for (int k = 0; k < call.n_operands; ++k) {
    const CallOperand& operand = call.operands[k];
    if (operand.value) {
      types[k].desc = &operand.value->view();
      key.operands[k] = {1, operand.value->desc};
    } else {
      types[k].scalar = operand.scalar_class;
      key.operands[k] = {operand.ref, static_cast<DescId>(operand.scalar_class)};
    }
  }
  Inferred& known = cache[mix_key(0, key) % cache.size()];
  if (known.key == key) return known.result;
  const ViewDesc desc = infer(call.op, attribute_of(call.attr), {types, call.n_operands}, false, call.site);
  known = {key, intern(desc.dtype, desc.dims)};
  return known.result;
}

void check_start(const OpCall& call) {
  const auto& ints = attribute_of(call.attr).ints;
  const Dims& dims = call.operands[0].value->view().dims;
  const std::int64_t extent = dims[static_cast<int>(ints[0])];
  if (call.start < 0 || ints[1] < 0 || ints[1] > extent || call.start > extent - ints[1])
    raise<IndexError>(call.site, "[narrow] elements {} to {} are out of range for dimension {} of shape {}", call.start,
                      call.start + ints[1], ints[0], to_string(dims));
}

BodyOp body_op(const OpCall& call, DescId result, bool tape) {
  BodyOp op;
  op.op = call.op;
  op.tape = tape;
  op.attr = call.attr;
  op.result = result;
  op.start = call.start;
  op.site = call.site;
  return op;
}

OperandRef scalar_ref(BodyOp& op, const CallOperand& operand, ScalarValue value) {
  op.scalar_class = operand.scalar_class;
  if (operand.ref == kLiteral) return {OperandRef::literal, 0};
  op.scalar = value;
  return {OperandRef::slot, 0};
}

[[noreturn]] void not_returned() {
  raise<ValueError>(SiteScope::or_else({}),
                    "a value made inside the body of a cell was not returned by it, and cannot be used outside");
}

// No scope is open while one lives.
class Released {
 public:
  Released() : held_(std::exchange(collector, nullptr)) {}
  ~Released() { collector = held_; }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  Collector* held_;
};

}  // namespace

Collecting::Collecting() { graph_.serial = ++last_epoch; }
Collecting::~Collecting() { abandon(); }

Tensor Collecting::run_at_once(const OpCall& call) {
  const Released released;
  Tensor result = call.in_place ? detail::emit_in_place(call) : detail::emit(call);
  detail::stream().cut(CutReason::scope, call.site);
  return result;
}

Tensor Collecting::call(const OpCall& call) {
  if (kind_of(call.op) == OpKind::random) {
    if (body_) body_->repeats = false;
    return run_at_once(call);
  }
  if (call.op == Op::narrow) check_start(call);
  if (body_) return call_in_body(call);
  bool collected = false, at_once = false;
  for (int k = 0; k < call.n_operands; ++k)
    if (const Value* value = call.operands[k].value) {
      collected |= is_collected(*value);
      at_once |= value->runs_at_once();
    }
  if (at_once && collected) settle(call.site);
  if (at_once || (!collected && (call.n_operands == 0 || kind_of(call.op) == OpKind::view || kind_of(call.op) == OpKind::fill)))
    return run_at_once(call);
  return call_in_graph(call);
}

Tensor Collecting::call_in_place(const OpCall& call) {
  Value& target = *call.operands[0].value;
  if (!is_collected(target)) {
    if (body_)
      raise<ValueError>(
          call.site,
          "[{}_] the body of cell '{}' writes a tensor from outside; instances run as one, so it cannot. Write it "
          "outside of the cell",
          name_of(call.op), body_->name);
    settle(call.site);
    return run_at_once(call);
  }
  const bool own = is_of_body(target);
  if (!own && epoch_of(target.write_tag) != graph_.serial) not_returned();
  if (!own && body_)
    raise<ValueError>(call.site, "[{}_] the body of cell '{}' writes a value from outside; return a new one instead",
                      name_of(call.op), body_->name);
  const auto at = index_of(target.write_tag);
  if (own ? body_->viewed[at] : graph_.outs[at].viewed)
    raise<ValueError>(call.site,
                      "[{}_] in a batch scope a tensor that has views, or is one, cannot be changed in place; use the op that "
                      "gives a new tensor",
                      name_of(call.op));
  OpCall fresh = call;
  fresh.in_place = false;
  Tensor value;
  if (call.op == Op::assign) {  // what was there counts no more
    if (!call.operands[1].value) {
      const Scalar filled = Scalar::restored(call.operands[1].scalar_class, call.scalar, false);
      value = detail::full(call.site, target.view().dims, filled, target.view().dtype);
    } else {
      value = Tensor(ValueRef::share(call.operands[1].value)).expand(target.view().dims);
    }
    // A value of its own, whatever the source is.
    if (own)
      value = this->call({.op = Op::copy, .n_operands = 1, .operands = {{value.value()}}, .site = call.site});
    else
      value = copied(value, call.site);
  } else {
    value = this->call(fresh);
  }
  if (!(value.sizes() == target.view().dims) || value.dtype() != target.view().dtype)
    raise<ShapeError>(call.site, "[{}_] cannot write {} of shape {} into {} of shape {}", name_of(call.op),
                      name_of(value.dtype()), to_string(value.sizes()), name_of(target.view().dtype),
                      to_string(target.view().dims));
  if (!is_collected(*value.value())) value = copied(value, call.site);
  // The handle names the new value from now on, and the graph's own reference moves with it.
  const Tag now = value.value()->write_tag;
  if (!own) {
    std::swap(graph_.outs[index_of(now)].tensor, graph_.outs[index_of(target.write_tag)].tensor);
    value.value()->write_tag = target.write_tag;
  }
  target.write_tag = now;
  if (requires_grad(*value.value())) target.flags |= Value::kRequiresGrad;
  return Tensor(ValueRef::share(&target));
}

// A value from outside as one of the graph.
Tensor Collecting::copied(const Tensor& outside, CallSite site) {
  const OutId id = operand_of(outside);
  const Out& from = out(id);
  const bool tape = from.grad && GradMode::enabled();
  BodyOp op;
  op.op = Op::copy;
  op.tape = tape;
  op.result = from.desc;
  op.site = site;
  ProgramBuilder builder;
  builder.operand(builder.add_input(from.desc, tape));
  builder.add_op(op, 1, tape);
  return add_single(builder, "copy", {&id, 1}, false);
}

Tensor Collecting::new_out(DescId desc, bool grad, std::int32_t instance) {
  if (graph_.outs.size() >= kMaxWindow) fail(__FILE__, __LINE__, "a batch scope has too many values");
  static_cast<void>(detail::stream());
  Value* const value = new_value();
  value->desc = desc;
  value->flags = Value::kPending | (grad ? Value::kRequiresGrad : 0u);
  value->write_tag = make_tag(graph_.serial, static_cast<std::uint32_t>(graph_.outs.size()));
  Tensor tensor(ValueRef::adopt(value));
  graph_.outs.push_back({tensor, desc, instance, grad});
  graph_.grad |= grad;
  return tensor;
}

OutId Collecting::operand_of(const Tensor& tensor) {
  Value& value = *tensor.value();
  if (is_collected(value)) {
    if (epoch_of(value.write_tag) != graph_.serial) not_returned();
    return static_cast<OutId>(index_of(value.write_tag));
  }
  if (value.runs_at_once()) {  // its numbers may change before the graph runs
    OpCall copy;
    copy.op = Op::copy;
    copy.n_operands = 1;
    copy.operands[0].value = &value;
    const Tensor now = run_at_once(copy);
    graph_.outs.push_back({now, now.value()->desc, -1, requires_grad(*now.value())});
    return static_cast<OutId>(graph_.outs.size() - 1);
  }
  const auto [entry, added] = outside_.try_emplace(&value, static_cast<OutId>(graph_.outs.size()));
  if (added) graph_.outs.push_back({tensor, row_major(value.desc), -1, requires_grad(value)});
  return entry->second;
}

std::int32_t Collecting::depth_of(std::span<const OutId> inputs) const {
  std::int32_t depth = 0;
  for (const OutId id : inputs)
    if (const Out& out = graph_.outs[static_cast<std::size_t>(id)]; out.instance >= 0)
      depth = std::max(depth, graph_.instances[static_cast<std::size_t>(out.instance)].depth + 1);
  return depth;
}

void Collecting::bind(CellProgram& program, std::span<const Tensor> shared) {
  if (program.bound_to == graph_.serial) return;
  program.bound_to = graph_.serial;
  program.shared.assign(shared.begin(), shared.end());
}

detail::PoolVector<Tensor> Collecting::add_cell(CellProgram& program, std::span<const Tensor> shared,
                                                std::span<const OutId> inputs) {
  bind(program, shared);
  const auto number = static_cast<std::int32_t>(graph_.instances.size());
  graph_.instances.push_back({&program, static_cast<std::uint32_t>(graph_.inputs.size()),
                              static_cast<std::uint32_t>(inputs.size()), static_cast<OutId>(graph_.outs.size()),
                              depth_of(inputs)});
  graph_.inputs.insert(graph_.inputs.end(), inputs.begin(), inputs.end());
  detail::PoolVector<Tensor> results;
  results.reserve(program.results.size());
  for (std::size_t j = 0; j < program.results.size(); ++j)
    results.push_back(new_out(program.results[j], program.result_grad[j], number));
  return results;
}

Tensor Collecting::add_single(ProgramBuilder& builder, std::string name, std::span<const OutId> inputs, bool variadic) {
  builder.add_output({OperandRef::local, 0});
  CellProgram& program = builder.finish(std::move(name), variadic);
  return add_cell(program, builder.shared(), inputs).front();
}

Tensor Collecting::call_in_graph(const OpCall& call) {
  const DescId result = infer_result(call);
  const bool tape = autograd::wants_record(call);
  ProgramBuilder builder;
  BodyOp op = body_op(call, result, tape);
  std::array<OutId, 3> inputs{};
  std::array<OperandRef, 3> refs{};
  std::size_t n = 0;
  for (int k = 0; k < call.n_operands; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const CallOperand& operand = call.operands[k];
    if (!operand.value) {
      refs[i] = scalar_ref(op, operand, call.scalar);
      continue;
    }
    const Tensor tensor(ValueRef::share(operand.value));
    if (!is_collected(*operand.value) && stands_for_all(call.op, k, *operand.value)) {
      refs[i] = builder.add_shared(tensor);
      continue;
    }
    const OutId id = operand_of(tensor);
    const auto known = std::find(inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(n), id);
    if (known != inputs.begin() + static_cast<std::ptrdiff_t>(n)) {
      refs[i] = {OperandRef::input, static_cast<std::int32_t>(known - inputs.begin())};
      continue;
    }
    const Out& out = graph_.outs[static_cast<std::size_t>(id)];
    refs[i] = builder.add_input(out.desc, out.grad && tape);
    inputs[n++] = id;
  }
  if (n == 0) return run_at_once(call);  // of parameters alone: it is the same for all
  for (int k = 0; k < call.n_operands; ++k) builder.operand(refs[static_cast<std::size_t>(k)]);
  builder.add_op(op, call.n_operands, tape);
  Tensor made = add_single(builder, std::string(name_of(call.op)), {inputs.data(), n}, false);
  if (kind_of(call.op) == OpKind::view) {
    graph_.outs[static_cast<std::size_t>(inputs[0])].viewed = true;
    graph_.outs.back().viewed = true;
  }
  return made;
}

Tensor Collecting::composite(Composite which, AttrId attr, std::span<const Tensor> operands, DescId result, CallSite site) {
  bool tape = false;
  for (const Tensor& operand : operands) tape |= operand.requires_grad();
  tape &= GradMode::enabled();
  BodyOp op;
  op.composite = which;
  op.attr = attr;
  op.result = result;
  op.tape = tape;
  op.site = site;
  if (body_) {
    std::vector<OperandRef> refs;
    for (const Tensor& operand : operands) refs.push_back(body_operand(operand, Op::none, 0));
    for (const OperandRef& ref : refs) body_->builder.operand(ref);
    return new_local(body_->builder.add_op(op, refs.size(), tape), result, tape);
  }
  ProgramBuilder builder;
  std::vector<OutId> inputs;
  for (const Tensor& operand : operands) {
    const OutId id = operand_of(operand);
    const Out& out = graph_.outs[static_cast<std::size_t>(id)];
    // The values of a sum are one input with a gradient or without.
    builder.operand(builder.add_input(out.desc, (out.grad || which == Composite::sum_of) && tape));
    inputs.push_back(id);
  }
  builder.add_op(op, operands.size(), tape);
  static constexpr const char* kNames[] = {"", "softmax", "layer_norm", "gelu", "cross_entropy", "cat", "sum"};
  return add_single(builder, kNames[static_cast<std::size_t>(which)], inputs, which == Composite::sum_of);
}

// --- Bodies of cells ---------------------------------------------------------------------------------------------------------------

Tensor Collecting::new_local(OperandRef ref, DescId desc, bool grad) {
  Value* const value = new_value();
  value->desc = desc;
  value->flags = Value::kPending | (grad ? Value::kRequiresGrad : 0u);
  value->write_tag = make_tag(body_->epoch, static_cast<std::uint32_t>(body_->refs.size()));
  body_->refs.push_back(ref);
  body_->viewed.push_back(false);
  return Tensor(ValueRef::adopt(value));
}

detail::PoolVector<Tensor> Collecting::begin_body(std::string_view name, bool pure, std::span<const OutId> inputs) {
  static_cast<void>(detail::stream());
  body_ = std::make_unique<Body>();
  body_->name = name;
  body_->pure = pure;
  body_->epoch = ++last_epoch;
  detail::PoolVector<Tensor> tensors;
  tensors.reserve(inputs.size());
  for (const OutId id : inputs) {
    const Out& out = graph_.outs[static_cast<std::size_t>(id)];
    tensors.push_back(new_local(body_->builder.add_input(out.desc, out.grad), out.desc, out.grad));
  }
  return tensors;
}

OperandRef Collecting::body_operand(const Tensor& tensor, Op op, int k) {
  const Value& value = *tensor.value();
  if (is_of_body(value)) return body_->refs[index_of(value.write_tag)];
  if (!is_collected(value) && (body_->pure || stands_for_all(op, k, value))) return body_->builder.add_shared(tensor);
  // A value of the graph around the cell, or one that is this instance's own: a further input.
  body_->repeats = false;
  const OutId id = operand_of(tensor);
  const auto known = std::ranges::find(body_->captured, id);
  if (known != body_->captured.end()) return body_->captures[static_cast<std::size_t>(known - body_->captured.begin())];
  const Out& out = graph_.outs[static_cast<std::size_t>(id)];
  body_->captured.push_back(id);
  body_->captures.push_back(body_->builder.add_input(out.desc, out.grad));
  return body_->captures.back();
}

Tensor Collecting::call_in_body(const OpCall& call) {
  const DescId result = infer_result(call);
  const bool tape = autograd::wants_record(call);
  BodyOp op = body_op(call, result, tape);
  std::array<OperandRef, 3> refs{};
  for (int k = 0; k < call.n_operands; ++k) {
    const CallOperand& operand = call.operands[k];
    refs[static_cast<std::size_t>(k)] =
        operand.value ? body_operand(Tensor(ValueRef::share(operand.value)), call.op, k) : scalar_ref(op, operand, call.scalar);
  }
  for (int k = 0; k < call.n_operands; ++k) body_->builder.operand(refs[static_cast<std::size_t>(k)]);
  Tensor made = new_local(body_->builder.add_op(op, call.n_operands, tape), result, tape);
  if (kind_of(call.op) == OpKind::view) {
    if (const Value& base = *call.operands[0].value; is_of_body(base)) body_->viewed[index_of(base.write_tag)] = true;
    body_->viewed.back() = true;
  }
  return made;
}

Collecting::Finished Collecting::end_body(std::span<const Tensor> results) {
  for (const Tensor& result : results) {
    detail::require_defined({}, body_->name, result, "a result");
    body_->builder.add_output(body_operand(result, Op::none, 0));
  }
  CellProgram& program = body_->builder.finish(std::string(body_->name));
  static_cast<void>(program);
  Finished finished{body_->builder.finished(),
                    {body_->builder.shared().begin(), body_->builder.shared().end()},
                    body_->captured,
                    body_->repeats};
  body_.reset();
  return finished;
}

// --- The end -----------------------------------------------------------------------------------------------------------------------

void Collecting::settle(CallSite site) {
  if (body_)
    raise<ValueError>(
        SiteScope::or_else(site),
        "[batch] the body of cell '{}' needs the numbers of a value that has not been computed yet: instances run as one, "
        "later. Read values outside of cells",
        body_->name);
  if (graph_.outs.empty()) return;
  Graph graph = std::move(graph_);
  graph_ = {};
  graph_.serial = ++last_epoch;
  outside_.clear();
  const Released released;
  try {
    run(graph);
  } catch (...) {
    poison(graph);
    for (const Instance& each : graph.instances) each.program->shared.clear();
    throw;
  }
  bound_programs();
}

void Collecting::abandon() {
  body_.reset();
  poison(graph_);
  for (const Instance& each : graph_.instances) each.program->shared.clear();
  graph_ = {};
  graph_.serial = ++last_epoch;
  outside_.clear();
}

Pause::Pause() : paused_(collector) {
  if (paused_) paused_->settle(SiteScope::or_else({}));
  collector = nullptr;
}
Pause::~Pause() {
  if (paused_) detail::stream().cut(CutReason::scope, {});
  collector = paused_;
}

}  // namespace swage::grouping
