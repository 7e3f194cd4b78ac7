// The fixed reduction tree. A reduction of n elements x[0 … n) gives the same bits whatever computes it: the order is a
// function of the logical index and of n alone. The logical index runs over the reduced dimensions in row-major order.
//
//   1. Blocks of kBlock consecutive elements.
//   2. In a block, element i goes to lane i mod kLanes. A lane combines its elements in ascending order, starting from its
//      first one (there is no neutral element: lanes that get none stay empty).
//   3. The lanes are folded by halving: lane j with lane j + 8, then j + 4, j + 2, j + 1. An empty lane leaves its partner as it
//      is. (Lanes fill from 0 upward, so an empty lane's partner below is never emptier.)
//   4. Block results are combined pairwise: neighbours 0 and 1, 2 and 3, …; an odd last one moves up as it is; again, until
//      one is left.
//
// The sum of no elements is 0. Threads may split only at block boundaries, or over results. argmax takes the first index of the
// greatest element, NaN counting as greatest; it needs no tree.
#pragma once

#include <cstdint>
#include <vector>

namespace swage {

inline constexpr int kReductionLanes = 16;
inline constexpr std::int64_t kReductionBlock = 1024;

// The tree, element by element: the definition that every implementation is tested against. `x(i)` gives element i; n ≥ 1.
template <class T, class Element, class Combine>
T reduce_reference(std::int64_t n, Element&& x, Combine&& combine) {
  std::vector<T> results;
  for (std::int64_t begin = 0; begin < n; begin += kReductionBlock) {
    const std::int64_t length = n - begin < kReductionBlock ? n - begin : kReductionBlock;
    T lanes[kReductionLanes];
    int used = 0;
    for (std::int64_t i = 0; i < length; ++i) {
      const int lane = static_cast<int>(i % kReductionLanes);
      if (i < kReductionLanes) {
        lanes[lane] = x(begin + i);
        used = lane + 1;
      } else {
        lanes[lane] = combine(lanes[lane], x(begin + i));
      }
    }
    for (int half = kReductionLanes / 2; half >= 1; half /= 2) {
      for (int lane = 0; lane + half < used && lane < half; ++lane) lanes[lane] = combine(lanes[lane], lanes[lane + half]);
      if (used > half) used = half;
    }
    results.push_back(lanes[0]);
  }
  while (results.size() > 1) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < results.size(); i += 2)
      results[out++] = i + 1 < results.size() ? combine(results[i], results[i + 1]) : results[i];
    results.resize(out);
  }
  return results[0];
}

}  // namespace swage
