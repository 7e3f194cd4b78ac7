// Recording: what happens when a program calls an op.
#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/engine/registry.hpp>
#include <runtime/engine/snapshot.hpp>
#include <runtime/engine/stream_impl.hpp>
#include <runtime/ops/inference.hpp>

namespace swage {
namespace {

constexpr RecordIndex kWindowEnded = ~RecordIndex{0};

void check_usable(const Value& value, const OpCall& call) {
  if (value.owner()->flags & Value::kPoisoned)
    raise<ValueError>(call.site, "[{}] an operand was never computed: the op that should have produced it failed",
                      name_of(call.op));
}

void check_start(const OpCall& call) {
  const auto& ints = attribute_of(call.attr).ints;
  const ViewDesc& operand = call.operands[0].value->view();
  if (ints.size() != 2 || ints[0] < 0 || ints[0] >= operand.rank()) return;  // inference says what is wrong
  const std::int64_t extent = operand.dims[static_cast<int>(ints[0])];
  if (call.start < 0 || ints[1] < 0 || ints[1] > extent || call.start > extent - ints[1])
    raise<IndexError>(call.site, "[narrow] elements {} to {} are out of range for dimension {} of shape {}", call.start,
                      call.start + ints[1], ints[0], to_string(operand.dims));
}

// The key of a call, without its operands.
KeyHalf head_of_key(const OpCall& call) {
  KeyHalf key;
  key.op = call.op;
  key.n_operands = call.n_operands;
  key.flags = call.in_place ? KeyHalf::kInPlace : 0;
  key.attr = call.attr;
  return key;
}

std::int64_t drawn_elements(const ViewDesc& desc) { return (desc.numel() + 3) / 4 * 4; }

}  // namespace

ValueRef Stream::Impl::emit(const OpCall& call) {
  window.sync();
  if (call.op == Op::narrow) check_start(call);
  if (open && limit_reached(call))
    cut(window.size() >= engine.options.hard_window_limit ? CutReason::length : CutReason::recurrence, call.site);
  if (at_fork()) end_at_fork(call.site);
  if (!open) {
    if (engine.forked) [[unlikely]]
      raise_forked(call);
    begin_window();
  }
  if (mode == WindowMode::untracked) return run_untracked(call);

  KeyHalf key = head_of_key(call);
  for (int k = 0; k < call.n_operands; ++k) {
    const CallOperand& operand = call.operands[k];
    if (Value* value = operand.value) {
      check_usable(*value, call);
      const Tag tag = tags(*value).tag;
      const RecordIndex at = window.tagged(tag) ? index_of(tag) : enter(*value, call.site);
      if (at == kWindowEnded) return emit(call);
      key.operands[k] = {static_cast<std::int32_t>(at), value->desc};
    } else {
      key.operands[k] = {operand.ref, static_cast<DescId>(operand.scalar_class)};
    }
  }
  const RecordIndex here = window.size();
  for (int k = 0; k < call.n_operands; ++k)
    if (call.operands[k].value) key.operands[k].ref = static_cast<std::int32_t>(here) - key.operands[k].ref;
  if (head_op == Op::none) {
    head_op = call.op;
    head_attr = call.attr;
    head_site = call.site;
  }

  if (mode == WindowMode::deferring) {
    const Cursor before = window.cursor;
    if (!trie.advance(window.cursor, key)) {
      infer_result(call, key);  // an op that raises is not recorded, and the path goes on
      if (parts(call.site)) return emit(call);
      leave(&key, call.site);
    } else {
      bool defers = window.cursor.trace->plans_below > 0;
      try {
        defers = defers && check_deferred(call, key);
      } catch (...) {  // nothing was recorded
        window.cursor = before;
        throw;
      }
      if (defers) return defer(call, key);
      leave(nullptr);  // the path goes on, but no plan can come of it
      window.cursor = before;
    }
  }
  return run(call, key);
}

// Every miss names the nearest known trace, and where it and the window part.
void Stream::Impl::log_miss(const KeyHalf& key, CallSite site) const {
  const Cursor& cursor = window.cursor;
  const KnownTrace* const near = cursor.trace ? cursor.trace : nearest(key);
  event_log().add(EventCode::missed, near ? near->trace.id : 0, cursor.position, 0, key, site);
}

void Stream::Impl::missed(const KeyHalf& key, CallSite site) {
  log_miss(key, site);
  window.leave_path();
}

void Stream::Impl::begin_window() {
  open = true;
  if (has_mail.load(std::memory_order_relaxed)) [[unlikely]]
    StreamRegistry::get().collect(self);
  const EngineOptions& options = engine.options;
  if (options.tier == Tier::eager || tracking_backoff.skip()) {
    mode = WindowMode::untracked;
    timing = false;
    return;
  }
  if (engine.queue && engine.queue->finished() != collected) adopt_plans();
  if (!remembered) [[unlikely]]
    remember();
  window.begin(next_epoch());
  kernel_ns = 0;
  touches_at_once = false;
  head_op = Op::none;
  // One window in four, spread so that no number of windows a step keeps any of them out.
  timing = (++window_count * 0x9E3779B97F4A7C15u) >> 62 == 0;
  const bool defer = options.tier == Tier::compiled && trie.plans() > 0 && !deferral_backoff.skip();
  mode = defer ? WindowMode::deferring : WindowMode::running;
  if (defer) deferring_since = window.first_tag;
}

bool Stream::Impl::limit_reached(const OpCall& call) const {
  const std::size_t n = window.size();
  if (n < engine.options.soft_window_limit) [[likely]]
    return false;
  return n >= engine.options.hard_window_limit || (call.op == head_op && call.attr == head_attr && call.site == head_site);
}

// Brings a value from outside into the window, unless that ends here: kWindowEnded.
RecordIndex Stream::Impl::enter(Value& value, CallSite site) {
  if (at_fork()) {
    end_at_fork(site);
    return kWindowEnded;
  }
  Value& owner = *value.owner();
  const bool at_once = owner.runs_at_once();
  if (owner.flags & Value::kWatched && owner.stream != &self) [[unlikely]]
    owner.flags.set(Value::kReadElsewhere);  // its stream does not see the tag
  const Tag storage = tags(owner).storage;
  const bool known_storage = window.tagged(storage);
  const RecordIndex here = window.size();
  KeyHalf key;
  key.op = Op::input;
  key.n_operands = 1;
  key.flags = at_once ? KeyHalf::kAtOnce : 0;
  key.operands[0] = {known_storage ? static_cast<std::int32_t>(here - index_of(storage)) : 0, value.desc};
  touches_at_once |= at_once;

  if (window.on_path) {
    const bool deferring = mode == WindowMode::deferring;
    const bool known = trie.advance(window.cursor, key) || (deferring && !at_once && predict(key));
    if (!known && parts(site)) return kWindowEnded;
    if (mode == WindowMode::deferring && !known)
      leave(&key, site);
    else if (mode == WindowMode::deferring && (at_once || window.cursor.trace->plans_below == 0))
      leave(nullptr);  // what touches this storage runs now, or no plan can come of it; the window's identity is untouched
    else if (!known)
      missed(key, site);
  }

  const Tag tag = make_tag(window.epoch, here);
  retain(&value);
  set_tag(value, &Value::tag, &ForeignTags::tag, tag);
  if (!known_storage) set_tag(owner, &Value::storage_tag, &ForeignTags::storage, tag);
  record(key, value.desc, {&value, value.offset, {}, site});
  return here;
}

// The one place where the slow path adds a record.
void Stream::Impl::record(const KeyHalf& key, DescId result, const ValueHalf& half) {
  window.push(key, result, half);
  // The head of the window is noted first.
  if (mode == WindowMode::deferring && head_op != Op::none) window.arm(engine.options.soft_window_limit);
}

ValueRef Stream::Impl::defer(const OpCall& call, const KeyHalf& key) {
  for (int k = 0; k < call.n_operands; ++k)
    if (Value* const value = call.operands[k].value; value && value->owner()->stream != &self)
      note_user(*value->owner(), number, call.in_place && k == 0);
  const DescId result = window.trace().results[window.cursor.position - 1];
  ValueHalf half{nullptr, 0, call.scalar, call.site};
  Value* value = make_result(call, result, half);
  if (!key.in_place() && !value->base) value->flags = Value::kPending;
  touch_result(call, value);
  record(key, result, half);
  return ValueRef::adopt(value);
}

// The value that a record results in, tagged but not computed. Fills the record's value half.
Value* Stream::Impl::make_result(const OpCall& call, DescId result, ValueHalf& half) {
  Value* value;
  if (call.in_place) {
    value = call.operands[0].value;
    retain(value);
  } else {
    value = new_value();
    value->desc = result;
    if (kind_of(call.op) == OpKind::view) {
      const Value& from = *call.operands[0].value;
      set_base(value, const_cast<Value*>(from.owner()));
      value->offset = from.offset + view_offset(call.op, attribute_of(call.attr), from.view(), call.start);
      half.offset = value->offset;
    } else if (kind_of(call.op) == OpKind::random) {
      half.offset = static_cast<std::int64_t>(random.offset);
      half.scalar.integer = static_cast<std::int64_t>(random.seed);
      random.offset += static_cast<std::uint64_t>(drawn_elements(desc_of(result)));
    }
  }
  half.result = value;
  return value;
}

// Moves the tags of a record's result to this record.
void Stream::Impl::touch_result(const OpCall& call, Value* value) {
  const Tag tag = make_tag(window.epoch, window.size());
  if (call.in_place) {
    // The entry of the record that made the older version is cleared: only the last version escapes. Inputs keep theirs.
    const RecordIndex before = index_of(tags(*value).tag);
    if (!window.is_input(before)) window.values[before].result = nullptr;
    ++value->owner()->version;
    set_tag(*value->owner(), &Value::write_tag, &ForeignTags::write, tag);
  } else if (!value->base) {
    value->storage_tag = tag;
    value->write_tag = tag;
  }
  set_tag(*value, &Value::tag, &ForeignTags::tag, tag);
}

ValueRef Stream::Impl::run(const OpCall& call, const KeyHalf& key) {
  const Cursor before = window.cursor;
  const bool known = window.on_path && trie.advance(window.cursor, key);
  if (window.on_path && !known) {
    infer_result(call, key);  // may raise
    if (parts(call.site)) return emit(call);
  }
  ValueHalf half{nullptr, 0, call.scalar, call.site};
  try {
    const DescId result = known ? window.trace().results[window.cursor.position - 1] : infer_result(call, key);
    ValueRef value = execute(call, key, result, half);
    if (window.on_path && !known) missed(key, call.site);
    touch_result(call, value.get());
    record(key, result, half);
    return value;
  } catch (...) {  // nothing was recorded
    window.cursor = before;
    throw;
  }
}

ValueRef Stream::Impl::run_untracked(const OpCall& call) {
  KeyHalf key = head_of_key(call);
  for (int k = 0; k < call.n_operands; ++k) {
    const CallOperand& operand = call.operands[k];
    if (operand.value) {
      check_usable(*operand.value, call);
      if (Value& owner = *operand.value->owner(); owner.flags & Value::kWatched) [[unlikely]]
        owner.stream == &self ? watch.was_read(owner) : owner.flags.set(Value::kReadElsewhere);
      key.operands[k] = {1, operand.value->desc};
    } else {
      key.operands[k] = {operand.ref, static_cast<DescId>(operand.scalar_class)};
    }
  }
  ValueHalf half{nullptr, 0, call.scalar, call.site};
  ValueRef value = execute(call, key, infer_result(call, key), half);
  if (call.in_place) ++value->owner()->version;
  return value;
}

// Inference depends on the key alone, but for how far away the operands are: what it gave is remembered.
DescId Stream::Impl::infer_result(const OpCall& call, const KeyHalf& key) {
  KeyHalf shape = key;
  for (int k = 0; k < key.n_operands; ++k)
    if (key.operands[k].is_tensor()) shape.operands[k].ref = 1;
  Inferred& known = inferred[mix_key(0, shape) % inferred.size()];
  if (known.key == shape) return known.result;
  OperandType operands[3];
  for (int k = 0; k < call.n_operands; ++k) {
    if (call.operands[k].value)
      operands[k].desc = &call.operands[k].value->view();
    else
      operands[k].scalar = call.operands[k].scalar_class;
  }
  const auto types = std::span(operands, call.n_operands);
  const DescId result = intern(infer(call.op, attribute_of(key.attr), types, call.in_place, call.site));
  known = {shape, result};
  return result;
}

void Stream::Impl::check_data(const OpCall& call, const KernelArgs& args) const {
  if (auto wrong = engine.kernels.check[static_cast<std::size_t>(call.op)](args))
    raise<IndexError>(call.site, "[{}] {}", name_of(call.op), *wrong);
}

// A bad index is an error of the op that is given it, not of the read that settles the window. An index that the window itself
// computes cannot be looked at while it is deferred: false, the op must run now. No plan is made of such a trace.
bool Stream::Impl::check_deferred(const OpCall& call, const KeyHalf& key) const {
  if (!info(call.op).checked) return true;
  const Value& index = *call.operands[1].value;
  if (index.pending() || window.tagged(tags(*index.owner()).write)) return false;
  KernelArgs args;
  args.key = &key;
  args.attribute = &attribute_of(key.attr);
  args.operands[0].desc = &call.operands[0].value->view();
  args.operands[1] = {index.address(), &index.view()};
  check_data(call, args);
  return true;
}

void* allocate_result(Op op, const ViewDesc& desc, CallSite site) {
  try {
    return allocate_buffer(static_cast<std::size_t>(desc.numel()) * size_of(desc.dtype));
  } catch (const MemoryError&) {
    raise<MemoryError>(site, "[{}] cannot allocate a result of shape {}: no memory for {} elements of {}", name_of(op),
                       to_string(desc.dims), desc.numel(), name_of(desc.dtype));
  }
}

// Runs one op now. Nothing has changed if it throws.
ValueRef Stream::Impl::execute(const OpCall& call, const KeyHalf& key, DescId result, ValueHalf& half) {
  const OpInfo& op = info(call.op);
  counters.ops.add();
  if (op.kind == OpKind::view) return ValueRef::adopt(make_result(call, result, half));
  const ViewDesc& desc = desc_of(result);
  if (call.in_place) before_write(*call.operands[0].value->owner(), call.site);
  KernelArgs args;
  args.key = &key;
  args.attribute = &attribute_of(key.attr);
  for (int k = 0; k < call.n_operands; ++k)
    if (const Value* value = call.operands[k].value) args.operands[k] = {value->address(), &value->view()};
  args.scalar = call.scalar;
  if (op.checked) check_data(call, args);
  void* const buffer = call.in_place ? nullptr : allocate_result(call.op, desc, call.site);
  ValueRef value = ValueRef::adopt(make_result(call, result, half));
  args.scalar = half.scalar;
  args.offset = half.offset;
  if (!call.in_place) {
    value->bytes = static_cast<std::size_t>(desc.numel()) * size_of(desc.dtype);
    value->data = buffer;
  }
  args.result = {value->address(), &desc};
  if (timing) {
    const std::uint64_t start = engine.options.clock();
    engine.kernels[call.op](args);
    kernel_ns += static_cast<double>(engine.options.clock() - start);
  } else {
    engine.kernels[call.op](args);
  }
  return value;
}

}  // namespace swage
