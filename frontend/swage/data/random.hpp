// A small generator for the host side of data handling. Its whole state is one number.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <runtime/core/split_mix.hpp>

namespace swage::data {

class HostRandom {
 public:
  explicit HostRandom(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() { return split_mix(state_); }
  // 0 ≤ result < bound, all alike but for 1 part in 2⁶⁴/bound.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(next()) * bound >> 64);
  }

  std::uint64_t state() const { return state_; }
  void set_state(std::uint64_t state) { state_ = state; }

 private:
  std::uint64_t state_;
};

// Fisher and Yates.
template <class T>
void shuffle(std::vector<T>& items, HostRandom& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

}  // namespace swage::data
