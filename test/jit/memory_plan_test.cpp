#include <jit/memory_plan.hpp>

#include <random>

#include <gtest/gtest.h>

#include <runtime/core/allocator.hpp>

namespace swage::jit {
namespace {

TEST(MemoryPlan, BuffersThatAreNeededAtOnceDoNotOverlap) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<Lifetime> lifetimes;
    std::size_t total = 0;
    for (int k = 0; k < 40; ++k) {
      const int first = static_cast<int>(random() % 30);
      lifetimes.push_back({random() % 5000 + 1, first, first + static_cast<int>(random() % 6)});
      total += lifetimes.back().bytes + 2 * kAlignment;
    }
    const MemoryPlan plan = plan_memory(lifetimes);
    for (std::size_t a = 0; a < lifetimes.size(); ++a) {
      EXPECT_EQ(plan.offsets[a] % kAlignment, 0u);
      EXPECT_LE(plan.offsets[a] + lifetimes[a].bytes + kAlignment, plan.bytes);
      for (std::size_t b = 0; b < a; ++b) {
        if (lifetimes[a].last < lifetimes[b].first || lifetimes[b].last < lifetimes[a].first) continue;
        const std::size_t first = plan.offsets[a] < plan.offsets[b] ? a : b, second = first == a ? b : a;
        EXPECT_LE(plan.offsets[first] + lifetimes[first].bytes + kAlignment, plan.offsets[second]);
      }
    }
    EXPECT_LT(plan.bytes, total / 2);
  }
}

TEST(MemoryPlan, AGapIsUsedAgain) {
  const MemoryPlan plan = plan_memory({{1000, 0, 1}, {1000, 1, 2}, {1000, 2, 3}});
  EXPECT_EQ(plan.offsets[0], plan.offsets[2]);
}

}  // namespace
}  // namespace swage::jit
