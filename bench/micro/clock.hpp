// Times and medians of the micro-benchmarks.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace swage::bench {

using Clock = std::chrono::steady_clock;

inline double nanoseconds(Clock::duration duration) { return std::chrono::duration<double, std::nano>(duration).count(); }

inline double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace swage::bench
