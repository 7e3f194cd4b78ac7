#include <jit/arithmetic.hpp>

#include <limits>
#include <utility>

#include <runtime/core/error.hpp>
#include <runtime/ops/scalar_ops.hpp>

namespace swage::jit {
namespace {

using mlir::Value;

template <class F>
Value with_number(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32: return f.template operator()<MlirNumber<float>>();
    case DType::f64: return f.template operator()<MlirNumber<double>>();
    case DType::i64: return f.template operator()<MlirNumber<std::int64_t>>();
    default: return f.template operator()<MlirMask>();
  }
}

template <class V>
inline constexpr bool is_mask = std::same_as<V, MlirMask>;
template <class V>
inline constexpr bool is_integer = std::same_as<V, MlirNumber<std::int64_t>>;

// Whether the op's row allows operands of this type.
template <Op op, class V>
constexpr bool allows() {
  switch (info(op).dtypes) {
    case DTypeRule::arithmetic:
    case DTypeRule::compare: return !is_mask<V>;
    case DTypeRule::floating: return !is_mask<V> && !is_integer<V>;
    case DTypeRule::logical: return is_mask<V>;
    case DTypeRule::any:
    case DTypeRule::select: return true;
    default: return false;
  }
}

template <Op op>
Value emit_one(DType dtype, std::span<const Value> in) {
  return with_number(dtype, [&]<class V>() -> Value {
    if constexpr (allows<op, V>()) {
      using scalar::Arithmetic;
      if constexpr (op == Op::where)
        return Arithmetic<op>::apply(MlirMask{in[0]}, V{in[1]}, V{in[2]}).value;
      else if constexpr (info(op).arity == 1)
        return Arithmetic<op>::apply(V{in[0]}).value;
      else
        return Arithmetic<op>::apply(V{in[0]}, V{in[1]}).value;
    }
    throw CompileError("an op on a type that its row does not allow");
  });
}

using Emit = Value (*)(DType, std::span<const Value>);

template <int i>
constexpr Emit emitter() {
  constexpr Op op = static_cast<Op>(i);
  if constexpr (kind_of(op) == OpKind::pointwise && op != Op::cast)
    return &emit_one<op>;
  else
    return nullptr;
}

template <int... i>
constexpr std::array<Emit, sizeof...(i)> emitters(std::integer_sequence<int, i...>) {
  return {emitter<i>()...};
}
constexpr auto kEmitters = emitters(std::make_integer_sequence<int, kOps>());

// Truncates, saturates, takes NaN to 0: the conversion itself sees only numbers that fit, since it is undefined on others.
template <class V>
Value to_integer(V x) {
  EmitScope& scope = EmitScope::current();
  using I = MlirNumber<std::int64_t>;
  constexpr double two_63 = 9223372036854775808.0;
  const MlirMask above = x >= V::splat(two_63), below = x < V::splat(-two_63), nan = ne(x, x);
  const V fits = select(above | below | nan, V::splat(0), x);
  const I whole{append<mlir::arith::FPToSIOp>(scope.shaped(scope.builder.getI64Type()), fits.value)};
  const I greatest{MlirBits<64>::constant(std::numeric_limits<std::int64_t>::max()).value};
  const I least{MlirBits<64>::constant(std::numeric_limits<std::int64_t>::min()).value};
  return select(above, greatest, select(below, least, whole)).value;
}

}  // namespace

mlir::Type element_type(mlir::OpBuilder& builder, DType dtype) {
  switch (dtype) {
    case DType::f32: return builder.getF32Type();
    case DType::f64: return builder.getF64Type();
    case DType::i64: return builder.getI64Type();
    default: return builder.getI1Type();
  }
}

Value emit_pointwise(Op op, DType dtype, std::span<const Value> operands) {
  const Emit emit = kEmitters[static_cast<std::size_t>(op)];
  if (!emit) throw CompileError("not a pointwise op: " + std::string(name_of(op)));
  return emit(dtype, operands);
}

Value emit_cast(DType from, DType to, Value value) {
  if (from == to) return value;
  EmitScope& scope = EmitScope::current();
  const mlir::Type type = scope.shaped(element_type(scope.builder, to));
  return with_number(from, [&]<class V>() -> Value {
    if (to == DType::boolean) {
      if constexpr (!is_mask<V>) return ne(V{value}, V::splat(0)).value;
    }
    if constexpr (is_mask<V>) {
      if (to == DType::i64) return append<mlir::arith::ExtUIOp>(type, value);
      return append<mlir::arith::UIToFPOp>(type, value);
    } else if constexpr (is_integer<V>) {
      return append<mlir::arith::SIToFPOp>(type, value);
    } else {
      if (to == DType::i64) return to_integer(V{value});
      if (to == DType::f64) return append<mlir::arith::ExtFOp>(type, value);
      return append<mlir::arith::TruncFOp>(type, value);
    }
  });
}

Value emit_combine(Op op, DType dtype, Value a, Value b) {
  return with_number(dtype, [&]<class V>() -> Value {
    if constexpr (!is_mask<V>) {
      switch (op) {
        case Op::sum: return scalar::Combine<Op::sum>::apply(V{a}, V{b}).value;
        case Op::amax: return scalar::Combine<Op::amax>::apply(V{a}, V{b}).value;
        case Op::amin: return scalar::Combine<Op::amin>::apply(V{a}, V{b}).value;
        default: break;
      }
    }
    throw CompileError("not a reduction with a combining step");
  });
}

Value emit_neutral(Op op, DType dtype) {
  return with_number(dtype, [&]<class V>() -> Value {
    if constexpr (is_integer<V>) {
      using Limits = std::numeric_limits<std::int64_t>;
      return MlirBits<64>::constant(op == Op::sum ? 0 : op == Op::amax ? Limits::min() : Limits::max()).value;
    } else if constexpr (!is_mask<V>) {
      const double infinity = std::numeric_limits<double>::infinity();
      return V::splat(op == Op::sum ? -0.0 : op == Op::amax ? -infinity : infinity).value;
    }
    throw CompileError("no neutral element");
  });
}

Value emit_constant(DType dtype, double real) {
  return with_number(dtype, [&]<class V>() -> Value {
    EmitScope& scope = EmitScope::current();
    if constexpr (is_mask<V>)
      return scope.constant(scope.builder.getBoolAttr(real != 0));
    else
      return V::splat(real).value;
  });
}

}  // namespace swage::jit
