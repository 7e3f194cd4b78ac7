#include <swage/pointwise.hpp>

#include <swage/detail/call.hpp>

namespace swage {

using detail::binary;
using detail::unary;

Tensor operator+(const Tensor& a, const Tensor& b) { return binary(caller(), Op::add, a, b); }
Tensor operator+(const Tensor& a, Scalar b) { return binary(caller(), Op::add, a, b); }
Tensor operator+(Scalar a, const Tensor& b) { return binary(caller(), Op::add, a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return binary(caller(), Op::sub, a, b); }
Tensor operator-(const Tensor& a, Scalar b) { return binary(caller(), Op::sub, a, b); }
Tensor operator-(Scalar a, const Tensor& b) { return binary(caller(), Op::sub, a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return binary(caller(), Op::mul, a, b); }
Tensor operator*(const Tensor& a, Scalar b) { return binary(caller(), Op::mul, a, b); }
Tensor operator*(Scalar a, const Tensor& b) { return binary(caller(), Op::mul, a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return binary(caller(), Op::div, a, b); }
Tensor operator/(const Tensor& a, Scalar b) { return binary(caller(), Op::div, a, b); }
Tensor operator/(Scalar a, const Tensor& b) { return binary(caller(), Op::div, a, b); }
Tensor operator-(const Tensor& a) { return unary(caller(), Op::neg, a); }

Tensor eq(const Tensor& a, const Tensor& b) { return binary(caller(), Op::eq, a, b); }
Tensor eq(const Tensor& a, Scalar b) { return binary(caller(), Op::eq, a, b); }
Tensor ne(const Tensor& a, const Tensor& b) { return binary(caller(), Op::ne, a, b); }
Tensor ne(const Tensor& a, Scalar b) { return binary(caller(), Op::ne, a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { return binary(caller(), Op::lt, a, b); }
Tensor lt(const Tensor& a, Scalar b) { return binary(caller(), Op::lt, a, b); }
Tensor le(const Tensor& a, const Tensor& b) { return binary(caller(), Op::le, a, b); }
Tensor le(const Tensor& a, Scalar b) { return binary(caller(), Op::le, a, b); }
Tensor gt(const Tensor& a, const Tensor& b) { return binary(caller(), Op::gt, a, b); }
Tensor gt(const Tensor& a, Scalar b) { return binary(caller(), Op::gt, a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { return binary(caller(), Op::ge, a, b); }
Tensor ge(const Tensor& a, Scalar b) { return binary(caller(), Op::ge, a, b); }
Tensor operator<(const Tensor& a, const Tensor& b) { return binary(caller(), Op::lt, a, b); }
Tensor operator<(const Tensor& a, Scalar b) { return binary(caller(), Op::lt, a, b); }
Tensor operator<=(const Tensor& a, const Tensor& b) { return binary(caller(), Op::le, a, b); }
Tensor operator<=(const Tensor& a, Scalar b) { return binary(caller(), Op::le, a, b); }
Tensor operator>(const Tensor& a, const Tensor& b) { return binary(caller(), Op::gt, a, b); }
Tensor operator>(const Tensor& a, Scalar b) { return binary(caller(), Op::gt, a, b); }
Tensor operator>=(const Tensor& a, const Tensor& b) { return binary(caller(), Op::ge, a, b); }
Tensor operator>=(const Tensor& a, Scalar b) { return binary(caller(), Op::ge, a, b); }
Tensor logical_and(const Tensor& a, const Tensor& b) { return binary(caller(), Op::logical_and, a, b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return binary(caller(), Op::logical_or, a, b); }
Tensor logical_not(const Tensor& a) { return unary(caller(), Op::logical_not, a); }

Tensor maximum(const Tensor& a, const Tensor& b) { return binary(caller(), Op::maximum, a, b); }
Tensor maximum(const Tensor& a, Scalar b) { return binary(caller(), Op::maximum, a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return binary(caller(), Op::minimum, a, b); }
Tensor minimum(const Tensor& a, Scalar b) { return binary(caller(), Op::minimum, a, b); }
Tensor clamp(const Tensor& a, Scalar low, Scalar high) {
  const CallSite site = caller();
  return binary(site, Op::minimum, binary(site, Op::maximum, a, low), high);
}

namespace {

void check_condition(CallSite site, const Tensor& condition) {
  detail::require_defined(site, "where", condition, "the condition");
  if (condition.dtype() != DType::boolean)
    raise<DTypeError>(SiteScope::or_else(site), "[where] the condition must be bool, not {}", name_of(condition.dtype()));
}

// The branch that is a number takes the other's type, raised to the number's class.
Tensor raised(CallSite site, const Tensor& branch, Scalar other) {
  detail::require_defined(site, "where", branch, "a branch");
  if (is_float(branch.dtype()) || !other.is_floating() || other.is_literal()) return branch;
  return detail::cast(site, branch, DType::f32);
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  const CallSite site = caller();
  check_condition(site, condition);
  detail::require_defined(site, "where", a, "the first branch");
  detail::require_defined(site, "where", b, "the second branch");
  const DType dtype = promote(a.dtype(), b.dtype());
  return detail::call(site, Op::where, {condition, detail::cast(site, a, dtype), detail::cast(site, b, dtype)});
}
Tensor where(const Tensor& condition, const Tensor& a, Scalar b) {
  const CallSite site = caller();
  check_condition(site, condition);
  const Tensor branch = raised(site, a, b);
  return detail::call(site, Op::where, {condition, branch, b});
}
Tensor where(const Tensor& condition, Scalar a, const Tensor& b) {
  const CallSite site = caller();
  check_condition(site, condition);
  const Tensor branch = raised(site, b, a);
  return detail::call(site, Op::where, {condition, a, branch});
}

Tensor neg(const Tensor& a) { return unary(caller(), Op::neg, a); }
Tensor abs(const Tensor& a) { return unary(caller(), Op::abs, a); }
Tensor sign(const Tensor& a) { return unary(caller(), Op::sign, a); }
Tensor square(const Tensor& a) { return unary(caller(), Op::square, a); }
Tensor relu(const Tensor& a) { return unary(caller(), Op::relu, a); }
Tensor exp(const Tensor& a) { return unary(caller(), Op::exp, a); }
Tensor log(const Tensor& a) { return unary(caller(), Op::log, a); }
Tensor sqrt(const Tensor& a) { return unary(caller(), Op::sqrt, a); }
Tensor rsqrt(const Tensor& a) { return unary(caller(), Op::rsqrt, a); }
Tensor reciprocal(const Tensor& a) { return unary(caller(), Op::reciprocal, a); }
Tensor tanh(const Tensor& a) { return unary(caller(), Op::tanh, a); }
Tensor sigmoid(const Tensor& a) { return unary(caller(), Op::sigmoid, a); }
Tensor sin(const Tensor& a) { return unary(caller(), Op::sin, a); }
Tensor cos(const Tensor& a) { return unary(caller(), Op::cos, a); }
Tensor floor(const Tensor& a) { return unary(caller(), Op::floor, a); }

Tensor pow(const Tensor& a, double exponent) {
  const CallSite site = caller();
  detail::require_defined(site, "pow", a);
  const auto squared = [&] { return unary(site, Op::square, a); };
  if (exponent == 0) return detail::full(site, a.sizes(), Scalar::literal(1.0), a.dtype());
  if (exponent == 1) return a;
  if (exponent == 2) return squared();
  if (exponent == 3) return binary(site, Op::mul, squared(), a);
  if (exponent == 4) return unary(site, Op::square, squared());
  if (exponent == 0.5) return unary(site, Op::sqrt, a);
  if (exponent == -0.5) return unary(site, Op::rsqrt, a);
  if (exponent == -1) return unary(site, Op::reciprocal, a);
  if (exponent == -2) return unary(site, Op::reciprocal, squared());
  return unary(site, Op::exp, binary(site, Op::mul, unary(site, Op::log, a), exponent));
}

}  // namespace swage
