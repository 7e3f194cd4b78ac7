#include <swage/detail/call.hpp>

#include <algorithm>
#include <bit>

#include <jit/compiler.hpp>
#include <kernels/cpu/kernel_table.hpp>
#include <runtime/engine/engine.hpp>
#include <runtime/engine/recorder.hpp>
#include <swage/autograd/record.hpp>
#include <swage/batch/collecting.hpp>

namespace swage::detail {

namespace {

// Attributes that this thread used lately. Interning proper takes a lock and builds a vector.
struct CachedAttribute {
  AttrId id = 0;
  int count = -1;
  DType dtype = DType::f32;
  std::uint64_t real = 0;
  std::array<std::int64_t, Ints::kMax> ints;
};

OpCall make_call(CallSite site, Op op, std::initializer_list<Operand> operands, const Attr* attr, std::int64_t start,
                 bool in_place) {
  OpCall call;
  call.op = op;
  call.in_place = in_place;
  call.start = start;
  call.site = site;
  double literal = 0;
  bool has_literal = false;
  for (const Operand& operand : operands) {
    CallOperand& to = call.operands[call.n_operands++];
    if (operand.value) {
      to.value = operand.value;
      continue;
    }
    to.scalar_class = operand.scalar.kind();
    if (operand.scalar.is_literal()) {
      to.ref = kLiteral;
      literal = operand.scalar.as_double();
      has_literal = true;
    } else {
      to.ref = kScalarSlot;
      call.scalar = operand.scalar.value();
    }
  }
  if (attr)
    call.attr = attribute_id(attr->ints, attr->dtype, literal);
  else if (has_literal)
    call.attr = attribute_id({}, DType::f32, literal);
  return call;
}

// Only notes two functions, so it may run at any time; before main where static initialisation allows, at first use else.
bool wire() {
  wire_engine(&cpu_kernel_table, &make_cpu_compiler);
  return true;
}
[[maybe_unused]] const bool wired_before_main = wire();

}  // namespace

Stream& stream() {
  [[maybe_unused]] static const bool wired = wire();
  return Stream::current();
}

AttrId attribute_id(const Ints& ints, DType dtype, double real) {
  constexpr std::size_t kEntries = 64;
  static thread_local std::array<CachedAttribute, kEntries> cache;
  const auto span = ints.span();
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(real);
  std::uint64_t hash = bits + static_cast<std::uint64_t>(dtype) + span.size() * 31;
  for (std::int64_t value : span) hash = (hash ^ static_cast<std::uint64_t>(value)) * 0x9E3779B97F4A7C15ull;
  hash ^= hash >> 32;
  CachedAttribute& entry = cache[(hash ^ hash >> 16) % kEntries];
  if (entry.count == static_cast<int>(span.size()) && entry.dtype == dtype && entry.real == bits &&
      std::equal(span.begin(), span.end(), entry.ints.begin()))
    return entry.id;
  Attribute attribute;
  attribute.ints.assign(span.begin(), span.end());
  attribute.real = real;
  attribute.dtype = dtype;
  entry.id = intern(attribute);
  entry.count = static_cast<int>(span.size());
  entry.dtype = dtype;
  entry.real = bits;
  std::copy(span.begin(), span.end(), entry.ints.begin());
  return entry.id;
}

namespace {

// The fast paths below defer an op that a known path expects. That the keys agree implies all that the slow paths check: the same op was
// called on operands of the same types and shapes before.

bool on_tape(const Value& a) { return (a.flags & GradMode::mask()) != 0; }
bool on_tape(const Value& a, const Value& b) { return ((a.flags | b.flags) & GradMode::mask()) != 0; }

// Operands from outside enter in order, as far as the path expects them to. True if one has: then the op itself may be expected now.
bool enter(CallSite site, std::initializer_list<Value*> operands) {
  bool entered = false;
  for (Value* operand : operands) {
    if (recorder->inside(*operand)) continue;
    if (!recorder->enter(*operand, SiteScope::or_else(site))) break;
    entered = true;
  }
  return entered;
}
bool enter(CallSite site, std::initializer_list<Operand> operands) {
  bool entered = false;
  for (const Operand& operand : operands) {
    if (!operand.value || recorder->inside(*operand.value)) continue;
    if (!recorder->enter(*operand.value, site)) break;
    entered = true;
  }
  return entered;
}

OperandKey key_of(Scalar scalar) { return {scalar.is_literal() ? kLiteral : kScalarSlot, static_cast<DescId>(scalar.kind())}; }

bool expects(Op op, std::size_t n_operands, std::uint8_t flags = 0) {  // whatever the attribute
  return static_cast<std::uint32_t>(recorder->differs(Recorder::head(op, static_cast<int>(n_operands), flags))) == 0;
}
bool expects_attribute(std::span<const std::int64_t> ints, DType dtype, double real) {
  const Attribute& known = attribute_of(recorder->next->key.attr);
  return std::bit_cast<std::uint64_t>(known.real) == std::bit_cast<std::uint64_t>(real) && known.dtype == dtype &&
         std::ranges::equal(known.ints, ints);
}
// Whether the expected record has this scalar as operand k and no other attribute.
bool expects(int k, Scalar scalar) {
  if (recorder->differs(k, key_of(scalar))) return false;
  return scalar.is_literal() ? expects_attribute({}, DType::f32, scalar.as_double()) : recorder->next->key.attr == 0;
}
bool expects(Op op, std::initializer_list<Operand> operands, const Attr* attr, std::uint8_t flags = 0) {
  if (!expects(op, operands.size(), flags)) return false;
  std::uint64_t differs = 0;
  double literal = 0;
  bool has_literal = false;
  int k = 0;
  for (const Operand& operand : operands) {
    if (operand.value) {
      differs |= recorder->differs(k, *operand.value);
    } else {
      differs |= recorder->differs(k, key_of(operand.scalar));
      if (operand.scalar.is_literal()) {
        literal = operand.scalar.as_double();
        has_literal = true;
      }
    }
    ++k;
  }
  if (differs) return false;
  if (attr) return expects_attribute(attr->ints.span(), attr->dtype, literal);
  return has_literal ? expects_attribute({}, DType::f32, literal) : recorder->next->key.attr == 0;
}

ScalarValue slot_of(std::initializer_list<Operand> operands) {
  for (const Operand& operand : operands)
    if (!operand.value) return operand.scalar.value();
  return {};
}

bool on_tape(std::initializer_list<Operand> operands) {
  std::uint32_t flags = 0;
  for (const Operand& operand : operands)
    if (operand.value) flags |= operand.value->flags;
  return (flags & GradMode::mask()) != 0;
}

// Whether the elements that a narrow takes are there.
bool in_range(std::initializer_list<Operand> operands, const Attr* attr, std::int64_t start) {
  const auto ints = attr->ints.span();
  const Dims& dims = operands.begin()->value->view().dims;
  if (ints[0] < 0 || ints[0] >= dims.rank()) return false;
  return start >= 0 && ints[1] >= 0 && ints[1] <= dims[static_cast<int>(ints[0])] &&
         start <= dims[static_cast<int>(ints[0])] - ints[1];
}

// Whether an op that the path expects, on operands of which one requires a gradient, goes onto the tape.
bool is_differentiated(Op op) {
  if (!info(op).differentiable) return false;
  return op != Op::cast || is_float(attribute_of(recorder->next->key.attr).dtype);
}

// Defers the op that the path expects now.
Tensor deferred(CallSite site, Op op, std::initializer_list<Operand> operands, const Attr* attr, std::int64_t start) {
  const ScalarValue scalar = slot_of(operands);
  const auto defer = [&] {
    if (kind_of(op) != OpKind::view) return recorder->defer(site, scalar);
    Value& from = *operands.begin()->value;
    std::int64_t offset = from.offset;
    if (op == Op::narrow) offset += start * from.view().strides[static_cast<int>(attr->ints.span()[0])];
    return recorder->defer_view(from, offset, site);
  };
  if (on_tape(operands) && is_differentiated(op)) [[unlikely]] {
    std::array<Value*, 3> values{};
    std::size_t n = 0;
    for (const Operand& operand : operands) values[n++] = operand.value;
    return Tensor(ValueRef::adopt(autograd::defer_recorded({op, site, scalar, start}, {values.data(), n}, defer)));
  }
  return Tensor(ValueRef::adopt(defer()));
}

}  // namespace

Tensor call(CallSite caller_site, Op op, std::initializer_list<Operand> operands, const Attr* attr, std::int64_t start) {
  const CallSite site = SiteScope::or_else(caller_site);
  const bool plain =
      !info(op).checked && kind_of(op) != OpKind::random && (op != Op::narrow || in_range(operands, attr, start));
  if (plain) {
    const Engaged engaged;
    if (expects(op, operands, attr) || (enter(site, operands) && expects(op, operands, attr)))
      return deferred(site, op, operands, attr, start);
  }
  const OpCall op_call = make_call(site, op, operands, attr, start, false);
  if (grouping::Collecting* const scope = grouping::collecting()) [[unlikely]]
    return scope->call(op_call);
  return emit(op_call);
}

Tensor emit(const OpCall& call) {
  Stream& target = stream();
  if (!autograd::wants_record(call)) [[likely]]
    return Tensor(target.emit(call));
  autograd::NodeRef node = autograd::begin_record(call);
  ValueRef result = target.emit(call);
  autograd::finish_record(std::move(node), *result);
  return Tensor(std::move(result));
}

Tensor call_in_place(CallSite caller_site, Op op, std::initializer_list<Operand> operands, const Attr* attr) {
  const CallSite site = SiteScope::or_else(caller_site);
  Value* const written = operands.begin()->value;
  if (!info(op).checked && !on_tape(operands) && !(written->base && GradMode::enabled())) {
    const Engaged engaged;
    const auto expected = [&] { return expects(op, operands, attr, KeyHalf::kInPlace); };
    if ((expected() || (enter(site, operands) && expected())) && recorder->has_alone(*written->owner()))
      return Tensor(ValueRef::adopt(recorder->defer_in_place(written, site, slot_of(operands))));
  }
  const OpCall op_call = make_call(site, op, operands, attr, 0, true);
  if (grouping::Collecting* const scope = grouping::collecting()) [[unlikely]]
    return scope->call_in_place(op_call);
  return emit_in_place(op_call);
}

Tensor emit_in_place(const OpCall& call) {
  Stream& target = stream();
  autograd::check_in_place(call);
  if (!autograd::wants_record(call)) return Tensor(target.emit(call));
  autograd::NodeRef node = autograd::begin_record(call);
  ValueRef result = target.emit(call);
  autograd::finish_in_place(std::move(node), *result);
  return Tensor(std::move(result));
}

Tensor expected_in_place(CallSite site, Op op, const Tensor& target, const Tensor& other) {
  Value *const x = target.value(), *const y = other.value();
  if (!x || !y || on_tape(*x, *y) || (x->base && GradMode::enabled())) return {};
  const Engaged engaged;
  const Recorder& at = *recorder;
  if (at.differs(Recorder::head(op, 2, KeyHalf::kInPlace)) | at.differs(0, *x) | at.differs(1, *y)) return {};
  if (!at.has_alone(*x->owner())) return {};
  return Tensor(ValueRef::adopt(recorder->defer_in_place(x, SiteScope::or_else(site), {})));
}

Tensor expected_in_place(CallSite site, Op op, const Tensor& target, Scalar other) {
  Value* const x = target.value();
  if (!x || on_tape(*x) || (x->base && GradMode::enabled())) return {};
  const Engaged engaged;
  if (!expects(op, 2, KeyHalf::kInPlace) || recorder->differs(0, *x) || !expects(1, other)) return {};
  if (!recorder->has_alone(*x->owner())) return {};
  return Tensor(ValueRef::adopt(recorder->defer_in_place(x, SiteScope::or_else(site), other.value())));
}

Tensor expected_view(CallSite caller_site, Op op, const Tensor& a, std::span<const std::int64_t> ints, std::int64_t start) {
  Value* const x = a.value();
  if (!x) return {};
  const Engaged engaged;
  if (!expects(op, 1) || recorder->differs(0, *x)) return {};
  const auto& known = attribute_of(recorder->next->key.attr).ints;
  if (known.size() != ints.size() || !std::equal(ints.begin(), ints.end(), known.begin())) return {};
  std::int64_t offset = x->offset;
  if (op == Op::narrow) {
    const ViewDesc& view = x->view();
    const auto d = static_cast<int>(ints[0]);
    if (start < 0 || start > view.dims[d] - ints[1]) return {};
    offset += start * view.strides[d];
  }
  const CallSite site = SiteScope::or_else(caller_site);
  const auto defer = [&] { return recorder->defer_view(*x, offset, site); };
  if (on_tape(*x)) return Tensor(ValueRef::adopt(autograd::defer_recorded({op, site, {}, start}, {&x, 1}, defer)));
  return Tensor(ValueRef::adopt(defer()));
}

void require_defined(CallSite site, std::string_view op, const Tensor& tensor, std::string_view what) {
  if (!tensor.defined()) [[unlikely]]
    raise<ValueError>(SiteScope::or_else(site), "[{}] {} is an undefined tensor", op, what);
}

int wrap_dim(CallSite site, std::string_view op, std::int64_t d, int rank) {
  const int extent = rank == 0 ? 1 : rank;
  if (d < -extent || d >= extent) [[unlikely]]
    raise<IndexError>(SiteScope::or_else(site), "[{}] dimension {} is out of range: a {}-dimensional tensor has {} to {}", op,
                      d, rank, -extent, extent - 1);
  return static_cast<int>(d < 0 ? d + extent : d);
}

Tensor cast(CallSite site, const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return tensor;
  const Attr attr{.ints = {}, .dtype = dtype};
  return call(site, Op::cast, {tensor}, &attr);
}

namespace {

[[gnu::noinline]] Tensor unary_slowly(CallSite site, Op op, const Tensor& a) {
  require_defined(site, name_of(op), a);
  if (info(op).dtypes == DTypeRule::floating && !is_float(a.dtype())) return call(site, op, {cast(site, a, DType::f32)});
  if (enter(site, {a.value()})) return unary(site, op, a);
  return call(site, op, {a});
}

// The type in which a binary op computes.
DType operating_type(Op op, DType mixed) {
  switch (info(op).dtypes) {
    case DTypeRule::floating: return is_float(mixed) ? mixed : DType::f32;
    case DTypeRule::arithmetic:
    case DTypeRule::compare: return mixed == DType::boolean ? DType::i64 : mixed;
    default: return mixed;
  }
}

// A scalar raises an integer tensor to its own class and otherwise leaves the type alone.
DType with_scalar(DType dtype, Scalar scalar) {
  if (is_float(dtype)) return dtype;
  if (scalar.is_floating()) return DType::f32;
  return DType::i64;
}

[[gnu::noinline]] Tensor binary_slowly(CallSite site, Op op, const Tensor& a, const Tensor& b) {
  require_defined(site, name_of(op), a, "operand 0");
  require_defined(site, name_of(op), b, "operand 1");
  const DType left = a.dtype(), right = b.dtype();
  const DType dtype = operating_type(op, promote(left, right));
  if (left == dtype && right == dtype) [[likely]] {
    if (enter(site, {a.value(), b.value()})) return binary(site, op, a, b);
    return call(site, op, {a, b});
  }
  return call(site, op, {cast(site, a, dtype), cast(site, b, dtype)});
}

[[gnu::noinline]] Tensor binary_slowly(CallSite site, Op op, const Tensor& a, Scalar b) {
  require_defined(site, name_of(op), a);
  const DType dtype = operating_type(op, with_scalar(a.dtype(), b));
  if (a.dtype() == dtype) [[likely]] {
    if (enter(site, {a.value()})) return binary(site, op, a, b);
    return call(site, op, {a, b});
  }
  return call(site, op, {cast(site, a, dtype), b});
}

[[gnu::noinline]] Tensor binary_slowly(CallSite site, Op op, Scalar a, const Tensor& b) {
  require_defined(site, name_of(op), b);
  const DType dtype = operating_type(op, with_scalar(b.dtype(), a));
  if (b.dtype() == dtype) [[likely]] {
    if (enter(site, {b.value()})) return binary(site, op, a, b);
    return call(site, op, {a, b});
  }
  return call(site, op, {a, cast(site, b, dtype)});
}

}  // namespace

namespace {

// Where the path expects what is not in the window yet to enter, and then this op, it enters. A cast would stand between the two.
[[gnu::noinline]] bool enter_ahead(CallSite site, Op op, std::uint32_t n_operands, Value* a, Value* b = nullptr) {
  const int entering = !recorder->inside(*a) + (b && b != a && !recorder->inside(*b));
  const ExpectedRecord* ahead = recorder->next;
  for (int k = 0; k < entering; ++k, ++ahead)
    if (ahead->key.op != Op::input) return false;
  if (entering == 0 || ahead->key.op != op || ahead->key.n_operands != n_operands || ahead->key.flags != 0) return false;
  return b ? enter(site, {a, b}) : enter(site, {a});
}

// The same for ops that the tape takes note of; no operand where it is a scalar.
template <std::size_t N>
[[gnu::noinline]] Tensor defer_on_tape(CallSite site, Op op, std::array<Value*, N> operands, ScalarValue scalar = {}) {
  const auto defer = [&] { return recorder->defer(site, scalar); };
  if (!info(op).differentiable) return Tensor(ValueRef::adopt(defer()));
  return Tensor(ValueRef::adopt(autograd::defer_recorded({op, site, scalar}, operands, defer)));
}

}  // namespace

Tensor unary(CallSite site, Op op, const Tensor& a) {
  if (Value* const x = a.value()) [[likely]] {
    const Engaged engaged;
    if ((recorder->differs(Recorder::head(op, 1)) | recorder->differs(0, *x)) == 0) [[likely]] {
      if (on_tape(*x)) return defer_on_tape<1>(SiteScope::or_else(site), op, {x});
      return Tensor(ValueRef::adopt(recorder->defer(SiteScope::or_else(site))));
    }
    if (recorder->next->key.op == Op::input && enter_ahead(site, op, 1, x)) return unary(site, op, a);
  }
  return unary_slowly(site, op, a);
}

Tensor binary(CallSite site, Op op, const Tensor& a, const Tensor& b) {
  Value *const x = a.value(), *const y = b.value();
  if (x && y) [[likely]] {
    const Engaged engaged;
    const Recorder& at = *recorder;
    if ((at.differs(Recorder::head(op, 2)) | at.differs(0, *x) | at.differs(1, *y)) == 0) [[likely]] {
      if (on_tape(*x, *y)) return defer_on_tape<2>(SiteScope::or_else(site), op, {x, y});
      return Tensor(ValueRef::adopt(recorder->defer(SiteScope::or_else(site))));
    }
    if (at.next->key.op == Op::input && enter_ahead(site, op, 2, x, y)) return binary(site, op, a, b);
  }
  return binary_slowly(site, op, a, b);
}

Tensor binary(CallSite site, Op op, const Tensor& a, Scalar b) {
  if (Value* const x = a.value()) [[likely]] {
    const Engaged engaged;
    if (expects(op, 2) && recorder->differs(0, *x) == 0 && expects(1, b)) [[likely]] {
      if (on_tape(*x)) return defer_on_tape<2>(SiteScope::or_else(site), op, {x, nullptr}, b.value());
      return Tensor(ValueRef::adopt(recorder->defer(SiteScope::or_else(site), b.value())));
    }
  }
  return binary_slowly(site, op, a, b);
}

Tensor binary(CallSite site, Op op, Scalar a, const Tensor& b) {
  if (Value* const y = b.value()) [[likely]] {
    const Engaged engaged;
    if (expects(op, 2) && recorder->differs(1, *y) == 0 && expects(0, a)) [[likely]] {
      if (on_tape(*y)) return defer_on_tape<2>(SiteScope::or_else(site), op, {nullptr, y}, a.value());
      return Tensor(ValueRef::adopt(recorder->defer(SiteScope::or_else(site), a.value())));
    }
  }
  return binary_slowly(site, op, a, b);
}

Tensor full(CallSite site, const Dims& sizes, Scalar value, DType dtype) {
  const Attr attr{.ints = Ints(sizes), .dtype = dtype};
  return call(site, Op::full, {value}, &attr);
}

Tensor iota(CallSite site, const Dims& sizes, int d, DType dtype) {
  const Attr attr{.ints = Ints({d}, sizes), .dtype = dtype};
  return call(site, Op::iota, {}, &attr);
}

}  // namespace swage::detail
