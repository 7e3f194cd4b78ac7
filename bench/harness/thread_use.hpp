// What the calling thread has taken from the system so far: two readings around a step say what the step took.
#pragma once

#include <cstdint>
#include <optional>

namespace swage::bench {

struct ThreadUse {
  // Calls of the system allocator (malloc, calloc, realloc, aligned_alloc and their kin, and so operator new), whoever made them: the
  // engine, a library or the workload. None where a sanitizer owns the allocator.
  std::optional<std::uint64_t> allocations;
  std::uint64_t minor_faults = 0;  // pages mapped on first touch (getrusage)
};

// Costs a system call.
ThreadUse thread_use();

}  // namespace swage::bench
