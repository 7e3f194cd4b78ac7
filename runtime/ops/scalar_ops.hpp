// The arithmetic of each pointwise primitive, in the scalar language. One specialisation an op; a pointwise row of the op table
// without one does not compile. `cast` alone is missing: it changes the number type, so each instantiation converts itself
// (floats to integers truncate, saturate, and take NaN to 0; to bool: different from zero).
#pragma once

#include <runtime/ops/op.hpp>
#include <runtime/ops/scalar_language.hpp>

namespace swage::scalar {

template <Op op>
struct Arithmetic;  // static V apply(V…), V::Mask apply(V, V) for comparisons, M apply(M…) on masks for logical ops

#define SWAGE_UNARY(NAME, EXPRESSION) \
  template <>                         \
  struct Arithmetic<Op::NAME> {       \
    template <class V>                \
    static V apply(V a) {             \
      return EXPRESSION;              \
    }                                 \
  };
#define SWAGE_BINARY(NAME, RESULT, EXPRESSION) \
  template <>                                  \
  struct Arithmetic<Op::NAME> {                \
    template <class V>                         \
    static RESULT apply(V a, V b) {            \
      return EXPRESSION;                       \
    }                                          \
  };

SWAGE_UNARY(neg, -a)
SWAGE_UNARY(abs, abs(a))
SWAGE_UNARY(sign, select(a > splat<V>(0), splat<V>(1), select(a < splat<V>(0), splat<V>(-1), a)))  // ±0 and NaN stay
SWAGE_UNARY(exp, scalar::exp(a))
SWAGE_UNARY(log, scalar::log(a))
SWAGE_UNARY(sqrt, sqrt(a))
SWAGE_UNARY(rsqrt, splat<V>(1) / sqrt(a))
SWAGE_UNARY(square, (a * a))
SWAGE_UNARY(reciprocal, splat<V>(1) / a)
SWAGE_UNARY(tanh, scalar::tanh(a))
SWAGE_UNARY(sigmoid, scalar::sigmoid(a))
SWAGE_UNARY(sin, scalar::sine(a, 0))
SWAGE_UNARY(cos, scalar::sine(a, 1))
SWAGE_UNARY(relu, larger(splat<V>(0), a))  // NaN stays
SWAGE_UNARY(floor, floor(a))
SWAGE_UNARY(logical_not, not_(a))
SWAGE_UNARY(copy, a)

SWAGE_BINARY(add, V, a + b)
SWAGE_BINARY(sub, V, a - b)
SWAGE_BINARY(mul, V, (a * b))
SWAGE_BINARY(div, V, a / b)
// The gradient a of the result b: a·(1 − b²) without cancellation, and a·b·(1 − b). Both within 2 units in the last place.
SWAGE_BINARY(tanh_grad, V, (a * ((splat<V>(1) - b) * (splat<V>(1) + b))))
SWAGE_BINARY(sigmoid_grad, V, (a * (b * (splat<V>(1) - b))))
// NaN wins; of equals, a. With NaN in a no comparison holds; only b is asked for it, which lengthens no chain of maxima.
SWAGE_BINARY(maximum, V, select(ne(b, b), b, larger(b, a)))
SWAGE_BINARY(minimum, V, select(ne(b, b), b, smaller(b, a)))
SWAGE_BINARY(eq, typename V::Mask, eq(a, b))
SWAGE_BINARY(ne, typename V::Mask, ne(a, b))
SWAGE_BINARY(lt, typename V::Mask, a < b)
SWAGE_BINARY(le, typename V::Mask, a <= b)
SWAGE_BINARY(gt, typename V::Mask, a > b)
SWAGE_BINARY(ge, typename V::Mask, a >= b)
SWAGE_BINARY(logical_and, V, a& b)
SWAGE_BINARY(logical_or, V, a | b)
SWAGE_BINARY(assign, V, (static_cast<void>(a), b))

template <>
struct Arithmetic<Op::where> {
  template <class M, class V>
  static V apply(M condition, V a, V b) {
    return select(condition, a, b);
  }
};

#undef SWAGE_UNARY
#undef SWAGE_BINARY

// The combining step of each reduction, and where it starts. Not needed where a reduction has no element at all but for sum:
// amax, amin and argmax of nothing are errors.
template <Op op>
struct Combine;
template <>
struct Combine<Op::sum> {
  template <class V>
  static V apply(V a, V b) {
    return a + b;
  }
};
template <>
struct Combine<Op::amax> {
  template <class V>
  static V apply(V a, V b) {
    return Arithmetic<Op::maximum>::apply(a, b);
  }
};
template <>
struct Combine<Op::amin> {
  template <class V>
  static V apply(V a, V b) {
    return Arithmetic<Op::minimum>::apply(a, b);
  }
};

}  // namespace swage::scalar
