// What a random element is, on every device. The sequence that a seed names consists of 32-bit words from Philox4x32-10
// (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) with the seed as key:
//   f32: element e is word e mod 4 of counter {e / 4, 0 (high half), 0}
//   f64: element e is made of words 2 (e mod 2), low half first, and the next, of counter {e / 2, 1 (high half), 0}
// uniform: the upper 24 (f32) or 53 (f64) bits over 2^24 or 2^53, in [0, 1).
// normal: Box and Muller on the uniform values u, v of elements 2i and 2i + 1: with radius √(−2 log(1 − u)), element 2i is
// radius · cos 2πv, element 2i + 1 radius · sin 2πv.
#pragma once

#include <runtime/ops/scalar_language.hpp>

namespace swage::scalar {

template <class V>
struct NormalPair {
  V even, odd;
};

template <class V>
NormalPair<V> box_muller(V u, V v) {
  const V radius = sqrt(splat<V>(-2.0) * scalar::log(splat<V>(1.0) - u));  // 1 − u is exact, and never 0
  const V angle = v * splat<V>(2.0 * std::numbers::pi);
  return {radius * sine(angle, 1), radius * sine(angle, 0)};
}

}  // namespace swage::scalar
