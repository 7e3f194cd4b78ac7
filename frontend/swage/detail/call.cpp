#include <swage/detail/call.hpp>

#include <algorithm>
#include <bit>

#include <jit/compiler.hpp>
#include <kernels/cpu/kernel_table.hpp>
#include <runtime/engine/engine.hpp>
#include <runtime/engine/recorder.hpp>
#include <swage/autograd/record.hpp>

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

Tensor call(CallSite site, Op op, std::initializer_list<Operand> operands, const Attr* attr, std::int64_t start) {
  const OpCall op_call = make_call(SiteScope::or_else(site), op, operands, attr, start, false);
  Stream& target = stream();
  if (!autograd::wants_record(op_call)) [[likely]]
    return Tensor(target.emit(op_call));
  autograd::NodeRef node = autograd::begin_record(op_call);
  ValueRef result = target.emit(op_call);
  autograd::finish_record(std::move(node), *result);
  return Tensor(std::move(result));
}

Tensor call_in_place(CallSite site, Op op, std::initializer_list<Operand> operands) {
  const OpCall op_call = make_call(SiteScope::or_else(site), op, operands, nullptr, 0, true);
  Stream& target = stream();
  autograd::check_in_place(op_call);
  if (!autograd::wants_record(op_call)) return Tensor(target.emit(op_call));
  autograd::NodeRef node = autograd::begin_record(op_call);
  ValueRef result = target.emit(op_call);
  autograd::finish_in_place(std::move(node), *result);
  return Tensor(std::move(result));
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

// The fast paths below defer an op that a known path expects and that leaves nothing on the tape. That the keys agree implies all that
// the slow paths check: the same op was called on operands of the same types and shapes before.

bool off_tape(const Value& a) { return (a.flags & GradMode::mask()) == 0; }
bool off_tape(const Value& a, const Value& b) { return ((a.flags | b.flags) & GradMode::mask()) == 0; }

// Where the path expects operands to enter, they do. True if one has: then the op itself may be expected now.
bool enter(CallSite site, const Value& a) {
  return !recorder->inside(a) && recorder->enter(const_cast<Value&>(a), SiteScope::or_else(site));
}
bool enter(CallSite site, const Value& a, const Value& b) {
  const bool entered = enter(site, a);
  return enter(site, b) || entered;
}

[[gnu::noinline]] Tensor unary_slowly(CallSite site, Op op, const Tensor& a) {
  require_defined(site, name_of(op), a);
  if (info(op).dtypes == DTypeRule::floating && !is_float(a.dtype())) return call(site, op, {cast(site, a, DType::f32)});
  if (enter(site, *a.value())) return unary(site, op, a);
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
    if (enter(site, *a.value(), *b.value())) return binary(site, op, a, b);
    return call(site, op, {a, b});
  }
  return call(site, op, {cast(site, a, dtype), cast(site, b, dtype)});
}

[[gnu::noinline]] Tensor binary_slowly(CallSite site, Op op, const Tensor& a, Scalar b) {
  require_defined(site, name_of(op), a);
  const DType dtype = operating_type(op, with_scalar(a.dtype(), b));
  if (a.dtype() == dtype) [[likely]] {
    if (enter(site, *a.value())) return binary(site, op, a, b);
    return call(site, op, {a, b});
  }
  return call(site, op, {cast(site, a, dtype), b});
}

[[gnu::noinline]] Tensor binary_slowly(CallSite site, Op op, Scalar a, const Tensor& b) {
  require_defined(site, name_of(op), b);
  const DType dtype = operating_type(op, with_scalar(b.dtype(), a));
  if (b.dtype() == dtype) [[likely]] {
    if (enter(site, *b.value())) return binary(site, op, a, b);
    return call(site, op, {a, b});
  }
  return call(site, op, {a, cast(site, b, dtype)});
}

// Whether the expected record has this scalar operand, and for a literal the value.
bool expects(int k, Scalar scalar) {
  const OperandKey operand{scalar.is_literal() ? kLiteral : kScalarSlot, static_cast<DescId>(scalar.kind())};
  if (recorder->differs(k, operand)) return false;
  const AttrId attr = recorder->next->key.attr;
  if (!scalar.is_literal()) return attr == 0;
  const Attribute& attribute = attribute_of(attr);
  return std::bit_cast<std::uint64_t>(attribute.real) == std::bit_cast<std::uint64_t>(scalar.as_double()) &&
         attribute.ints.empty();
}
bool expects(Op op, int n_operands, std::uint8_t flags = 0) {  // whatever the attribute
  return static_cast<std::uint32_t>(recorder->differs(Recorder::head(op, n_operands, flags))) == 0;
}

}  // namespace

Tensor unary(CallSite site, Op op, const Tensor& a) {
  const Value* const x = a.value();
  if (x && (recorder->differs(Recorder::head(op, 1)) | recorder->differs(0, *x)) == 0 && off_tape(*x)) [[likely]]
    return Tensor(ValueRef::adopt(recorder->defer(SiteScope::or_else(site))));
  return unary_slowly(site, op, a);
}

Tensor binary(CallSite site, Op op, const Tensor& a, const Tensor& b) {
  const Value *const x = a.value(), *const y = b.value();
  if (x && y) [[likely]] {
    const Recorder& at = *recorder;
    if ((at.differs(Recorder::head(op, 2)) | at.differs(0, *x) | at.differs(1, *y)) == 0 && off_tape(*x, *y)) [[likely]]
      return Tensor(ValueRef::adopt(recorder->defer(SiteScope::or_else(site))));
  }
  return binary_slowly(site, op, a, b);
}

Tensor binary(CallSite site, Op op, const Tensor& a, Scalar b) {
  const Value* const x = a.value();
  if (x && expects(op, 2) && recorder->differs(0, *x) == 0 && expects(1, b) && off_tape(*x)) [[likely]]
    return Tensor(ValueRef::adopt(recorder->defer(SiteScope::or_else(site), b.value())));
  return binary_slowly(site, op, a, b);
}

Tensor binary(CallSite site, Op op, Scalar a, const Tensor& b) {
  const Value* const y = b.value();
  if (y && expects(op, 2) && recorder->differs(1, *y) == 0 && expects(0, a) && off_tape(*y)) [[likely]]
    return Tensor(ValueRef::adopt(recorder->defer(SiteScope::or_else(site), a.value())));
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
