// Counts of one stream. Written by its thread alone, read by anyone.
#pragma once

#include <atomic>
#include <cstdint>

namespace swage {

class Counter {
 public:
  void add(std::uint64_t n = 1) { count_.store(count_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::uint64_t get() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

struct StreamCounters {
  Counter ops, compiled_ops, windows, hits, misses, side_exits, traces;
};

}  // namespace swage
