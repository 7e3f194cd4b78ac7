// The scalar language: the arithmetic of every pointwise op, written once over an abstract number type `V`. Instantiated with
// a SIMD vector it is the eager kernel, with a builder that emits MLIR it is the compiled one; both execute the same sequence
// of IEEE operations, so both give the same bits.
//
// A number type V provides (free functions are found by argument-dependent lookup):
//   V::Element                     float, double or std::int64_t
//   V::Bits                        for floats: the integer type of the same width, with + - & and shl, sar (by a constant)
//   V::Mask                        result of a comparison, with & | and not_()
//   V::splat(double)               a constant, rounded to Element
//   a + b, a - b, a * b, a / b     one rounding each (no contraction); integers wrap around
//   -a                             sign flip
//   a < b, <=, >, >=, eq, ne       ordered comparisons (ne: unordered or different)
//   fma(a, b, c), sqrt(a)          floats, one rounding
//   abs(a), floor(a)               floats: clear the sign; round down. integers: abs wraps on the least value
//   select(mask, a, b)             per lane
//   to_bits(a), V::from_bits(b)    floats: reinterpretation
//   V::splat_bits(int64)           an integer constant of type V::Bits
//   V::bit_set(bits, constant)     mask: whether (bits & constant) is not zero
// and may provide, where the machine has instructions for them, what is else made of the above, to the bit:
//   larger(a, b), smaller(a, b)    a > b ? a : b, a < b ? a : b: b where either is NaN
//   scaled(a, k, bits)             a·2^k, rounded once, for an integer |k| < 250 (f32), 2000 (f64), also given as V::Bits; a is
//                                  between ½ and 2 or NaN
//
// Accuracy of what is built here, in units in the last place, on normal results: exp, log within 2 in f32 and 3 in f64; tanh,
// sigmoid within 3; sin and cos within 2 for arguments up to 10⁴ (f32) and 10⁶ (f64). Subnormal results of exp are correct to one
// rounding more. Methods: Cody and Waite's argument reduction (Software Manual for the Elementary Functions, 1980) and
// Taylor polynomials by Horner's rule.
#pragma once

#include <concepts>
#include <cstdint>
#include <numbers>
#include <type_traits>

namespace swage::scalar {

template <class V>
inline constexpr bool is_f32 = std::same_as<typename V::Element, float>;

template <class V>
V splat(double constant) {
  return V::splat(constant);
}
template <class V>
typename V::Bits splat_bits(std::int64_t constant) {
  return V::splat_bits(constant);
}
template <class V>
V from_bits(typename V::Bits bits) {
  return V::from_bits(bits);
}

template <class V>
V larger(V a, V b) {
  return select(a > b, a, b);
}
template <class V>
V smaller(V a, V b) {
  return select(a < b, a, b);
}

// Σ c[i] x^i by Horner's rule.
template <class V, int N>
V polynomial(V x, const double (&c)[N]) {
  V sum = splat<V>(c[N - 1]);
  for (int i = N - 2; i >= 0; --i) sum = fma(sum, x, splat<V>(c[i]));
  return sum;
}

// Rounds to the nearest integer, ties to even, by adding and taking away 1.5·2^(mantissa bits): valid below 2^22 (f32) and
// 2^51 (f64). The low bits of `shifted` hold the integer.
template <class V>
struct Rounded {
  V value;
  typename V::Bits integer;
};
template <class V>
Rounded<V> round_to_integer(V x) {
  const V magic = splat<V>(is_f32<V> ? 12582912.0 : 6755399441055744.0);
  const V shifted = x + magic;
  return {shifted - magic, to_bits(shifted) - to_bits(magic)};
}

// 2^k for an integer k within the exponent range of normal numbers.
template <class V>
V power_of_two(typename V::Bits k) {
  if constexpr (is_f32<V>)
    return from_bits<V>(shl(k + splat_bits<V>(127), 23));
  else
    return from_bits<V>(shl(k + splat_bits<V>(1023), 52));
}

// In two factors: k may lie outside the range of normal exponents. The first product is exact.
template <class V>
V scaled_in_steps(V a, typename V::Bits k) {
  const auto half = sar(k, 1);
  return a * power_of_two<V>(half) * power_of_two<V>(k - half);
}
template <class V>
V scaled(V a, V, typename V::Bits k) {
  return scaled_in_steps(a, k);
}

// x = k·ln2 + r with |r| ≤ ln2/2; r to nearly twice the precision's worth.
template <class V>
struct ExpReduction {
  V r;
  Rounded<V> k;
};
template <class V>
ExpReduction<V> reduce_by_ln2(V x) {
  const auto n = round_to_integer(x * splat<V>(std::numbers::log2e));
  V r;
  if constexpr (is_f32<V>) {
    r = fma(n.value, splat<V>(-0.693145751953125), x);
    r = fma(n.value, splat<V>(-1.42860682030941723212e-6), r);
  } else {
    r = fma(n.value, splat<V>(-6.93147180369123816490e-01), x);
    r = fma(n.value, splat<V>(-1.90821492927058770002e-10), r);
  }
  return {r, n};
}

// exp(r) − 1 for |r| ≤ ln2/2.
template <class V>
V expm1_polynomial(V r) {
  if constexpr (is_f32<V>) {
    constexpr double c[] = {1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040};
    return fma(r * r, polynomial(r, c), r);
  } else {
    constexpr double c[] = {1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,      1.0 / 720,       1.0 / 5040,
                            1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    return fma(r * r, polynomial(r, c), r);
  }
}

template <class V>
V exp(V x) {
  const V low = splat<V>(is_f32<V> ? -104.0 : -746.0), high = splat<V>(is_f32<V> ? 89.0 : 710.0);
  const V clamped = smaller(high, larger(low, x));  // NaN passes through both
  const auto [r, k] = reduce_by_ln2(clamped);
  return scaled(expm1_polynomial(r) + splat<V>(1.0), k.value, k.integer);
}

template <class V>
V log(V x) {
  // Subnormals are scaled up first.
  const V least_normal = splat<V>(is_f32<V> ? 1.17549435082228750797e-38 : 2.22507385850720138309e-308);
  const auto subnormal = x < least_normal;
  const V scaled = select(subnormal, x * splat<V>(is_f32<V> ? 8388608.0 : 4503599627370496.0), x);
  // x = 2^e · m with m in [√½, √2).
  const V root_half = splat<V>(is_f32<V> ? 0.70710678118654752 : 0.70710678118654752440);
  const auto distance = to_bits(scaled) - to_bits(root_half);
  constexpr int mantissa = is_f32<V> ? 23 : 52;
  const auto e = sar(distance, mantissa);
  const auto mantissa_mask = splat_bits<V>(is_f32<V> ? 0x007fffffll : 0x000fffffffffffffll);
  const V m = from_bits<V>((distance & mantissa_mask) + to_bits(root_half));
  const V magic = splat<V>(is_f32<V> ? 12582912.0 : 6755399441055744.0);
  V exponent = from_bits<V>(to_bits(magic) + e) - magic;
  exponent = exponent - select(subnormal, splat<V>(is_f32<V> ? 23.0 : 52.0), splat<V>(0.0));
  // log m = 2 artanh(s), s = (m − 1)/(m + 1); with f = m − 1: log m = f − s·(f − tail) keeps f exact.
  const V f = m - splat<V>(1.0);
  const V s = f / (splat<V>(2.0) + f);
  const V z = s * s;
  V tail;
  if constexpr (is_f32<V>) {
    constexpr double c[] = {2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11};
    tail = z * polynomial(z, c);
  } else {
    constexpr double c[] = {2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
    tail = z * polynomial(z, c);
  }
  const V ln2_high = splat<V>(is_f32<V> ? 0.693145751953125 : 6.93147180369123816490e-01);
  const V ln2_low = splat<V>(is_f32<V> ? 1.42860682030941723212e-6 : 1.90821492927058770002e-10);
  // 2 artanh(s) = f − s·f + s·tail + … : f − s (f − tail).
  const V log_m = f - fma(exponent, -ln2_low, s * (f - tail));
  V result = fma(exponent, ln2_high, log_m);
  const V zero = splat<V>(0.0);
  const V infinity = splat<V>(__builtin_inf());
  result = select(eq(x, infinity), infinity, result);
  result = select(eq(x, zero), -infinity, result);
  result = select(x < zero, splat<V>(__builtin_nan("")), result);
  return select(ne(x, x), x, result);
}

template <class V>
V tanh(V x) {
  // tanh x = E/(E + 2) with E = exp(2x) − 1, exact near zero; ±1 beyond the bound.
  const V bound = splat<V>(is_f32<V> ? 9.5 : 20.0);
  const V magnitude = abs(x);
  const V clamped = smaller(bound, magnitude);
  const auto [r, k] = reduce_by_ln2(clamped + clamped);
  const V scale = power_of_two<V>(k.integer);
  const V e = fma(expm1_polynomial(r), scale, scale - splat<V>(1.0));
  const V t = e / (e + splat<V>(2.0));
  return select(x < splat<V>(0.0), -t, select(eq(x, splat<V>(0.0)), x, t));
}

template <class V>
V sigmoid(V x) {
  return splat<V>(1.0) / (splat<V>(1.0) + exp(-x));
}

// sin and cos of x through x = k·π/2 + r, |r| ≤ π/4; `shift` is 0 for sin, 1 for cos.
template <class V>
V sine(V x, int shift) {
  const auto n = round_to_integer(x * splat<V>(2.0 / std::numbers::pi));
  // π/2 in three parts of full precision. The first step is exact: x and n times the first part are multiples of one unit,
  // and their difference, below 1, has no more digits than the mantissa holds.
  constexpr double part[3] = {is_f32<V> ? 1.57079637050628662 : 1.5707963267948966,
                              is_f32<V> ? -4.37113882867379e-08 : 6.123233995736766e-17,
                              is_f32<V> ? -1.7151245100058819e-15 : -1.4973849048591698e-33};
  V r = fma(n.value, splat<V>(-part[0]), x);
  r = fma(n.value, splat<V>(-part[1]), r);
  r = fma(n.value, splat<V>(-part[2]), r);
  const V z = r * r;
  V s, c;
  if constexpr (is_f32<V>) {
    constexpr double sc[] = {-1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880};
    constexpr double cc[] = {-1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800};
    s = fma(r * z, polynomial(z, sc), r);
    c = fma(z, polynomial(z, cc), splat<V>(1.0));
  } else {
    constexpr double sc[] = {-1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
                             -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
    constexpr double cc[] = {-1.0 / 2,
                             1.0 / 24,
                             -1.0 / 720,
                             1.0 / 40320,
                             -1.0 / 3628800,
                             1.0 / 479001600,
                             -1.0 / 87178291200,
                             1.0 / 20922789888000,
                             -1.0 / 6402373705728000};
    s = fma(r * z, polynomial(z, sc), r);
    c = fma(z, polynomial(z, cc), splat<V>(1.0));
  }
  const auto quadrant = n.integer + splat_bits<V>(shift);
  const auto odd = V::bit_set(quadrant, 1);
  const auto negative = V::bit_set(quadrant, 2);
  const V value = select(odd, c, s);
  return select(negative, -value, value);
}

}  // namespace swage::scalar
