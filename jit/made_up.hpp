// Contents for self-tests: fixed, cheap, and awkward where that is useful.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include <runtime/core/split_mix.hpp>

namespace swage::jit {

// Any fixed sequence will do.
class Sequence {
 public:
  explicit Sequence(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return split_mix(state_); }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

// `awkward`: with infinities, NaN and numbers whose exponentials overflow. Long reductions take the other kind: one NaN
// would hide everything else.
template <class T>
T made_up(Sequence& sequence, bool awkward) {
  const std::uint64_t bits = sequence.next();
  if constexpr (std::is_same_v<T, bool>) {
    return bits & 1;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    if (bits % 64 == 0) return std::numeric_limits<T>::min();
    if (bits % 64 == 1) return std::numeric_limits<T>::max();
    return static_cast<T>(bits >> 8 & 31) - 16;
  } else {
    using Limits = std::numeric_limits<T>;
    static constexpr T kSpecial[] = {T(0),
                                     -T(0),
                                     Limits::denorm_min(),
                                     -Limits::min() / 2,
                                     Limits::infinity(),
                                     -Limits::infinity(),
                                     Limits::quiet_NaN(),
                                     Limits::max()};
    if (bits % 32 == 0) return kSpecial[bits >> 8 & (awkward ? 7 : 3)];
    const double unit = sequence.unit();
    return static_cast<T>(awkward && bits % 16 == 1 ? (unit - 0.5) * 200 : unit * 4 - 2);
  }
}

// Elements are taken from a list of prime length, so that no extent repeats it.
template <class T>
class MadeUp {
 public:
  explicit MadeUp(std::uint64_t seed, bool awkward) : list_(list(awkward)), at_(seed % list_.size()) {}
  T next() {
    const auto value = std::bit_cast<T>(list_[at_]);
    at_ = at_ + 1 == list_.size() ? 0 : at_ + 1;
    return value;
  }

 private:
  using Raw = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;  // vector<bool> has no elements
  static const std::vector<Raw>& list(bool awkward) {
    static const std::vector<Raw> lists[] = {make(false), make(true)};
    return lists[awkward];
  }
  static std::vector<Raw> make(bool awkward) {
    Sequence sequence(awkward);
    std::vector<Raw> list(4099);
    for (Raw& element : list) element = std::bit_cast<Raw>(made_up<T>(sequence, awkward));
    return list;
  }

  const std::vector<Raw>& list_;
  std::size_t at_;
};

// Equal bits; any NaN equals any other.
template <class T>
bool same_bits(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b);
  } else {
    return a == b;
  }
}

}  // namespace swage::jit
