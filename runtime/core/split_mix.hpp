// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), for what needs any fixed
// sequence on the host. Tensors are drawn by Philox (kernels/random.hpp).
#pragma once

#include <cstdint>

namespace swage {

// The next number; `state` is the whole state.
inline std::uint64_t split_mix(std::uint64_t& state) {
  std::uint64_t z = state += 0x9E3779B97F4A7C15ull;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

}  // namespace swage
