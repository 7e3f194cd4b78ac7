// The little programs that the micro-benchmarks run, and what brings a program to a plan.
#pragma once

#include <cstdint>

#include <swage/swage.hpp>

namespace swage::bench {

// x + y + y + …, `n` additions.
Tensor added(const Tensor& x, const Tensor& y, int n);

// `n` dependent pointwise ops on x and y, drawn by the variant: each variant is another trace with other code.
Tensor drawn_ops(const Tensor& x, const Tensor& y, int n, std::uint64_t variant);

// Runs a window, which ends with a step, until a plan has carried it. False if none comes to.
template <class Window>
bool heat(const Window& window) {
  const std::uint64_t hits = stats().hits;
  for (int i = 0; i < 200 && stats().hits == hits; ++i) {
    window();
    wait_for_compiler();
  }
  return stats().hits > hits;
}

}  // namespace swage::bench
