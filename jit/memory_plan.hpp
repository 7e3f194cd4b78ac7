// Where the storages that live only inside a plan lie in its arena.
#pragma once

#include <cstddef>
#include <vector>

namespace swage::jit {

// A buffer that is needed from step `first` to step `last`, both included.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  // one a lifetime, multiples of kAlignment
  std::size_t bytes = 0;
};

// Buffers whose lifetimes meet do not overlap, nor do the 64 bytes behind each (which whole-vector loads may read).
MemoryPlan plan_memory(const std::vector<Lifetime>& lifetimes);

}  // namespace swage::jit
