#include <jit/memory_plan.hpp>

#include <algorithm>
#include <numeric>

#include <runtime/core/allocator.hpp>

namespace swage::jit {

MemoryPlan plan_memory(const std::vector<Lifetime>& lifetimes) {
  const auto padded = [&](std::size_t k) {
    return (lifetimes[k].bytes + kAlignment - 1) / kAlignment * kAlignment + kAlignment;
  };
  MemoryPlan plan;
  plan.offsets.resize(lifetimes.size());
  std::vector<std::size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });

  std::vector<std::size_t> placed;  // by ascending offset
  for (std::size_t k : order) {
    const std::size_t size = padded(k);
    std::size_t end = 0, best = 0, best_gap = 0;  // `end` of what is occupied so far
    bool found = false;
    for (std::size_t other : placed) {
      if (lifetimes[other].last < lifetimes[k].first || lifetimes[other].first > lifetimes[k].last) continue;
      if (plan.offsets[other] > end) {
        const std::size_t gap = plan.offsets[other] - end;
        if (gap >= size && (!found || gap < best_gap)) {
          found = true;
          best = end;
          best_gap = gap;
        }
      }
      end = std::max(end, plan.offsets[other] + padded(other));
    }
    plan.offsets[k] = found ? best : end;
    plan.bytes = std::max(plan.bytes, plan.offsets[k] + size);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), k,
                                   [&](std::size_t a, std::size_t b) { return plan.offsets[a] < plan.offsets[b]; }),
                  k);
  }
  return plan;
}

}  // namespace swage::jit
