// Moving registers from and to memory: numbers, masks stored as bool bytes, and the first few lanes of either. Never touches
// memory beyond the lanes asked for: a borrowed buffer may end at the end of a page.
#pragma once

#include <kernels/cpu/simd/vec.hpp>

namespace swage::SWAGE_SIMD {

// The first `n` lanes, 0 < n < kLanes.
template <class V>
typename V::Mask first_lanes(int n) {
#ifdef __AVX512F__
  return {(1u << n) - 1};
#else
  using Int = typename V::Bits;
  Int index;
  for (int i = 0; i < Int::kLanes; ++i) index.v[i] = i;
  return index < Int::broadcast(static_cast<typename Int::Element>(n));
#endif
}

template <class V>
V load_first(const void* p, int n) {
  V x;
#ifdef __AVX512F__
  if constexpr (sizeof(typename V::Element) == 1)
    x.v = reinterpret_cast<decltype(x.v)>(_mm512_maskz_loadu_epi8((std::uint64_t{1} << n) - 1, p));
  else if constexpr (sizeof(typename V::Element) == 4)
    x.v = reinterpret_cast<decltype(x.v)>(_mm512_maskz_loadu_epi32(static_cast<__mmask16>((1u << n) - 1), p));
  else
    x.v = reinterpret_cast<decltype(x.v)>(_mm512_maskz_loadu_epi64(static_cast<__mmask8>((1u << n) - 1), p));
#else
  if constexpr (sizeof(typename V::Element) == 1) {
    x.v = decltype(x.v){};
    for (int i = 0; i < n; ++i) x.v[i] = static_cast<const std::uint8_t*>(p)[i];
  } else if constexpr (sizeof(typename V::Element) == 4) {
    const auto mask = reinterpret_cast<__m256i>(first_lanes<V>(n).bits);
    x.v = reinterpret_cast<decltype(x.v)>(_mm256_maskload_epi32(static_cast<const int*>(p), mask));
  } else {
    const auto mask = reinterpret_cast<__m256i>(first_lanes<V>(n).bits);
    x.v = reinterpret_cast<decltype(x.v)>(_mm256_maskload_epi64(static_cast<const long long*>(p), mask));
  }
#endif
  return x;
}

template <class V>
void store_first(V x, void* p, int n) {
#ifdef __AVX512F__
  const auto v = reinterpret_cast<__m512i>(x.v);
  if constexpr (sizeof(typename V::Element) == 1)
    _mm512_mask_storeu_epi8(p, (std::uint64_t{1} << n) - 1, v);
  else if constexpr (sizeof(typename V::Element) == 4)
    _mm512_mask_storeu_epi32(p, static_cast<__mmask16>((1u << n) - 1), v);
  else
    _mm512_mask_storeu_epi64(p, static_cast<__mmask8>((1u << n) - 1), v);
#else
  if constexpr (sizeof(typename V::Element) == 1) {
    for (int i = 0; i < n; ++i) static_cast<std::uint8_t*>(p)[i] = x.v[i];
  } else if constexpr (sizeof(typename V::Element) == 4) {
    const auto mask = reinterpret_cast<__m256i>(first_lanes<V>(n).bits);
    _mm256_maskstore_epi32(static_cast<int*>(p), mask, reinterpret_cast<__m256i>(x.v));
  } else {
    const auto mask = reinterpret_cast<__m256i>(first_lanes<V>(n).bits);
    _mm256_maskstore_epi64(static_cast<long long*>(p), mask, reinterpret_cast<__m256i>(x.v));
  }
#endif
}

// A dense run of numbers in memory.
template <class V>
struct Numbers {
  using Vec = V;
  static constexpr int kSize = sizeof(typename V::Element);
  static Vec load(const void* p) { return V::load(p); }
  static Vec load(const void* p, int n) { return load_first<V>(p, n); }
  static void store(Vec x, void* p) { x.store(p); }
  static void store(Vec x, void* p, int n) { store_first(x, p, n); }
};

// A dense run of bool bytes in memory, as masks beside the lanes of V.
template <class V>
struct Bools {
  using Vec = typename V::Mask;
  static constexpr int kSize = 1;
#ifdef __AVX512F__
  static Vec of(__m128i bytes) { return {_mm_test_epi8_mask(bytes, bytes)}; }
  static Vec load(const void* p) {
    if constexpr (V::kLanes == 16)
      return of(_mm_loadu_si128(static_cast<const __m128i*>(p)));
    else
      return of(_mm_loadl_epi64(static_cast<const __m128i*>(p)));
  }
  static Vec load(const void* p, int n) { return of(_mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << n) - 1), p)); }
  static void store(Vec x, void* p) {
    const __m128i bytes = _mm_maskz_set1_epi8(static_cast<__mmask16>(x.bits), 1);
    if constexpr (V::kLanes == 16)
      _mm_storeu_si128(static_cast<__m128i*>(p), bytes);
    else
      _mm_storel_epi64(static_cast<__m128i*>(p), bytes);
  }
  static void store(Vec x, void* p, int n) {
    _mm_mask_storeu_epi8(p, static_cast<__mmask16>((1u << n) - 1), _mm_maskz_set1_epi8(static_cast<__mmask16>(x.bits), 1));
  }
#else
  using Word = std::conditional_t<V::kLanes == 8, std::uint64_t, std::uint32_t>;  // one byte a lane
  static Vec of(Word bytes) {
    const __m128i packed = _mm_cvtsi64_si128(static_cast<std::int64_t>(bytes));
    __m256i wide;
    if constexpr (V::kLanes == 8)
      wide = _mm256_cmpgt_epi32(_mm256_cvtepu8_epi32(packed), _mm256_setzero_si256());
    else
      wide = _mm256_cmpgt_epi64(_mm256_cvtepu8_epi64(packed), _mm256_setzero_si256());
    return {reinterpret_cast<decltype(Vec::bits)>(wide)};
  }
  static Word bytes_of(Vec x) {
    const auto wide = reinterpret_cast<__m256i>(x.bits);
    if constexpr (V::kLanes == 8) {
      const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
      return static_cast<Word>(_mm_cvtsi128_si64(_mm_packs_epi16(words, words))) & 0x0101010101010101u;
    } else {
      // Spreads four bits over four bytes: the products land 7 bits apart and do not carry into each other.
      return static_cast<Word>(_mm256_movemask_pd(reinterpret_cast<__m256d>(wide))) * 0x204081u & 0x01010101u;
    }
  }
  static Vec load(const void* p) {
    Word bytes;
    __builtin_memcpy(&bytes, p, sizeof bytes);
    return of(bytes);
  }
  static Vec load(const void* p, int n) {
    Word bytes = 0;
    for (int i = 0; i < n; ++i) bytes |= static_cast<Word>(static_cast<const std::uint8_t*>(p)[i]) << (8 * i);
    return of(bytes);
  }
  static void store(Vec x, void* p) {
    const Word bytes = bytes_of(x);
    __builtin_memcpy(p, &bytes, sizeof bytes);
  }
  static void store(Vec x, void* p, int n) {
    const Word bytes = bytes_of(x);
    for (int i = 0; i < n; ++i) static_cast<std::uint8_t*>(p)[i] = static_cast<std::uint8_t>(bytes >> (8 * i));
  }
#endif
};

}  // namespace swage::SWAGE_SIMD
