// The number types with which the scalar language runs eagerly: one SIMD register of floats, doubles or integers. Compiled once
// for AVX2 and once for AVX-512; everything stands in the namespace of its instruction set, because the linker would merge
// functions of one name and hand AVX-512 code to a CPU without it. Include nothing here that defines inline functions of
// other namespaces.
#pragma once

#include <cstdint>
#include <immintrin.h>
#include <type_traits>
#include <utility>

namespace swage::SWAGE_SIMD {

#ifdef __AVX512F__
inline constexpr int kVectorBytes = 64;
#else
inline constexpr int kVectorBytes = 32;
#endif

template <class T>
struct RawVector {
  using Type [[gnu::vector_size(kVectorBytes)]] = T;
};
template <class T>
using Raw = typename RawVector<T>::Type;

template <class T>
struct IntOf {
  using Type = T;
};
template <>
struct IntOf<float> {
  using Type = std::int32_t;
};
template <>
struct IntOf<double> {
  using Type = std::int64_t;
};

// Integers wrap: their sums, differences and products are computed without a sign.
template <class T>
struct WrappingOf {
  using Type = T;
};
template <>
struct WrappingOf<std::int32_t> {
  using Type = std::uint32_t;
};
template <>
struct WrappingOf<std::int64_t> {
  using Type = std::uint64_t;
};

// One bit (AVX-512) or one element of ones (AVX2) for each lane of size `bytes`.
template <int bytes>
struct LaneMask {
#ifdef __AVX512F__
  std::uint32_t bits;
#else
  Raw<typename IntOf<std::conditional_t<bytes == 4, float, double>>::Type> bits;
#endif
};
template <int bytes>
LaneMask<bytes> operator&(LaneMask<bytes> a, LaneMask<bytes> b) {
  return {a.bits & b.bits};
}
template <int bytes>
LaneMask<bytes> operator|(LaneMask<bytes> a, LaneMask<bytes> b) {
  return {a.bits | b.bits};
}
template <int bytes>
LaneMask<bytes> not_(LaneMask<bytes> a) {
  return {~a.bits};
}

template <class T>
struct Number {
  using Element = T;
  using Bits = Number<typename IntOf<T>::Type>;
  using Mask = LaneMask<sizeof(T)>;
  static constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

  Raw<T> v;

  static Number splat(double constant) { return broadcast(static_cast<T>(constant)); }
  static Bits splat_bits(std::int64_t constant) { return Bits::broadcast(static_cast<typename Bits::Element>(constant)); }
  static Number from_bits(Bits bits) { return {reinterpret_cast<Raw<T>>(bits.v)}; }
  static Mask bit_set(Bits bits, std::int64_t constant) { return ne(Bits{bits.v & splat_bits(constant).v}, splat_bits(0)); }
  static Number broadcast(T x) {
    if constexpr (sizeof(T) == 4)
#ifdef __AVX512F__
      return {reinterpret_cast<Raw<T>>(_mm512_set1_epi32(__builtin_bit_cast(std::int32_t, x)))};
    else
      return {reinterpret_cast<Raw<T>>(_mm512_set1_epi64(__builtin_bit_cast(std::int64_t, x)))};
#else
      return {reinterpret_cast<Raw<T>>(_mm256_set1_epi32(__builtin_bit_cast(std::int32_t, x)))};
    else
      return {reinterpret_cast<Raw<T>>(_mm256_set1_epi64x(__builtin_bit_cast(std::int64_t, x)))};
#endif
  }
  static Number load(const void* p) {
    Number x;
    __builtin_memcpy(&x.v, p, sizeof x.v);
    return x;
  }
  void store(void* p) const { __builtin_memcpy(p, &v, sizeof v); }
};

using F32 = Number<float>;
using F64 = Number<double>;
using I64 = Number<std::int64_t>;

template <class T>
auto wrapping(Number<T> a) {
  return reinterpret_cast<Raw<typename WrappingOf<T>::Type>>(a.v);
}
template <class T>
Number<T> operator+(Number<T> a, Number<T> b) {
  return {reinterpret_cast<Raw<T>>(wrapping(a) + wrapping(b))};
}
template <class T>
Number<T> operator-(Number<T> a, Number<T> b) {
  return {reinterpret_cast<Raw<T>>(wrapping(a) - wrapping(b))};
}
template <class T>
Number<T> operator*(Number<T> a, Number<T> b) {
  return {reinterpret_cast<Raw<T>>(wrapping(a) * wrapping(b))};
}
template <class T>
Number<T> operator/(Number<T> a, Number<T> b) {
  return {a.v / b.v};
}
template <class T>
Number<T> operator&(Number<T> a, Number<T> b) {
  return {a.v & b.v};
}
template <class T>
Number<T> operator-(Number<T> a) {
  return {reinterpret_cast<Raw<T>>(-wrapping(a))};
}
template <class T>
Number<T> shl(Number<T> a, int bits) {
  return {a.v << bits};
}
template <class T>
Number<T> sar(Number<T> a, int bits) {
  return {a.v >> bits};
}
template <class T>
typename Number<T>::Bits to_bits(Number<T> a) {
  return {reinterpret_cast<Raw<typename IntOf<T>::Type>>(a.v)};
}

// Comparisons. The vector extensions of the compiler serve AVX2; for AVX-512 they do not give mask registers.
#ifdef __AVX512F__
template <int float_predicate, int int_predicate, class T>
LaneMask<sizeof(T)> compare(Number<T> a, Number<T> b) {
  if constexpr (__is_same(T, float))
    return {_mm512_cmp_ps_mask(a.v, b.v, float_predicate)};
  else if constexpr (__is_same(T, double))
    return {_mm512_cmp_pd_mask(a.v, b.v, float_predicate)};
  else if constexpr (sizeof(T) == 4)
    return {_mm512_cmp_epi32_mask(reinterpret_cast<__m512i>(a.v), reinterpret_cast<__m512i>(b.v), int_predicate)};
  else
    return {_mm512_cmp_epi64_mask(reinterpret_cast<__m512i>(a.v), reinterpret_cast<__m512i>(b.v), int_predicate)};
}
#define SWAGE_COMPARE(NAME, SIGN, FLOAT, INT)          \
  template <class T>                                   \
  LaneMask<sizeof(T)> NAME(Number<T> a, Number<T> b) { \
    return compare<FLOAT, INT>(a, b);                  \
  }
#else
#define SWAGE_COMPARE(NAME, SIGN, FLOAT, INT)          \
  template <class T>                                   \
  LaneMask<sizeof(T)> NAME(Number<T> a, Number<T> b) { \
    return {a.v SIGN b.v};                             \
  }
#endif
SWAGE_COMPARE(operator<, <, _CMP_LT_OQ, _MM_CMPINT_LT)
SWAGE_COMPARE(operator<=, <=, _CMP_LE_OQ, _MM_CMPINT_LE)
SWAGE_COMPARE(operator>, >, _CMP_GT_OQ, _MM_CMPINT_NLE)
SWAGE_COMPARE(operator>=, >=, _CMP_GE_OQ, _MM_CMPINT_NLT)
SWAGE_COMPARE(eq, ==, _CMP_EQ_OQ, _MM_CMPINT_EQ)
SWAGE_COMPARE(ne, !=, _CMP_NEQ_UQ, _MM_CMPINT_NE)
#undef SWAGE_COMPARE

template <class T>
Number<T> select(LaneMask<sizeof(T)> mask, Number<T> a, Number<T> b) {
#ifdef __AVX512F__
  if constexpr (sizeof(T) == 4)
    return {reinterpret_cast<Raw<T>>(_mm512_mask_blend_epi32(static_cast<__mmask16>(mask.bits), reinterpret_cast<__m512i>(b.v),
                                                             reinterpret_cast<__m512i>(a.v)))};
  else
    return {reinterpret_cast<Raw<T>>(_mm512_mask_blend_epi64(static_cast<__mmask8>(mask.bits), reinterpret_cast<__m512i>(b.v),
                                                             reinterpret_cast<__m512i>(a.v)))};
#else
  return {reinterpret_cast<Raw<T>>(_mm256_blendv_epi8(reinterpret_cast<__m256i>(b.v), reinterpret_cast<__m256i>(a.v),
                                                      reinterpret_cast<__m256i>(mask.bits)))};
#endif
}

// Lane i of the result is lane i + `by` of `a`, counted around.
template <int by, class T, int... lane>
Number<T> rotate(Number<T> a, std::integer_sequence<int, lane...>) {
  return {__builtin_shufflevector(a.v, a.v, (lane + by) % Number<T>::kLanes...)};
}
template <int by, class T>
Number<T> rotate(Number<T> a) {
  return rotate<by>(a, std::make_integer_sequence<int, Number<T>::kLanes>());
}

template <class T>
Number<T> abs(Number<T> a) {
  if constexpr (__is_same(T, std::int64_t)) {
    return select(a < Number<T>::splat(0), -a, a);
  } else {
    constexpr std::int64_t all_but_sign = sizeof(T) == 4 ? 0x7fffffffll : 0x7fffffffffffffffll;
    return Number<T>::from_bits(to_bits(a) & Number<T>::splat_bits(all_but_sign));
  }
}

#ifdef __AVX512F__
inline F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline F64 fma(F64 a, F64 b, F64 c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
inline F32 larger(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F64 larger(F64 a, F64 b) { return {_mm512_max_pd(a.v, b.v)}; }
inline F32 smaller(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F64 smaller(F64 a, F64 b) { return {_mm512_min_pd(a.v, b.v)}; }
inline F32 scaled(F32 a, F32 k, F32::Bits) { return {_mm512_scalef_ps(a.v, k.v)}; }
inline F64 scaled(F64 a, F64 k, F64::Bits) { return {_mm512_scalef_pd(a.v, k.v)}; }
inline F32 sqrt(F32 a) { return {_mm512_sqrt_ps(a.v)}; }
inline F64 sqrt(F64 a) { return {_mm512_sqrt_pd(a.v)}; }
inline F32 floor(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
inline F64 floor(F64 a) { return {_mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
#else
inline F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline F64 fma(F64 a, F64 b, F64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
inline F32 larger(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
inline F64 larger(F64 a, F64 b) { return {_mm256_max_pd(a.v, b.v)}; }
inline F32 smaller(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
inline F64 smaller(F64 a, F64 b) { return {_mm256_min_pd(a.v, b.v)}; }
inline F32 sqrt(F32 a) { return {_mm256_sqrt_ps(a.v)}; }
inline F64 sqrt(F64 a) { return {_mm256_sqrt_pd(a.v)}; }
inline F32 floor(F32 a) { return {_mm256_floor_ps(a.v)}; }
inline F64 floor(F64 a) { return {_mm256_floor_pd(a.v)}; }
#endif

// A register of bool bytes, 0 or 1.
struct Bytes {
  using Element = std::uint8_t;
  using Mask = Bytes;
  static constexpr int kLanes = kVectorBytes;

  Raw<std::uint8_t> v;

  static Bytes load(const void* p) {
    Bytes x;
    __builtin_memcpy(&x.v, p, sizeof x.v);
    return x;
  }
  void store(void* p) const { __builtin_memcpy(p, &v, sizeof v); }
};
inline Bytes operator&(Bytes a, Bytes b) { return {a.v & b.v}; }
inline Bytes operator|(Bytes a, Bytes b) { return {a.v | b.v}; }
inline Bytes not_(Bytes a) { return {a.v ^ (Raw<std::uint8_t>{} + std::uint8_t{1})}; }
inline Bytes select(Bytes mask, Bytes a, Bytes b) { return (mask & a) | (not_(mask) & b); }

}  // namespace swage::SWAGE_SIMD
