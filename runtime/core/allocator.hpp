// Buffers for tensor data: 64-byte aligned, sized in classes, kept warm in per-thread free lists, so that a steady loop asks
// the system for nothing. Every buffer may be READ up to 64 bytes past its end (whole-vector loads).
#pragma once

#include <cstddef>
#include <cstdint>

namespace swage {

inline constexpr std::size_t kAlignment = 64;

// At least `bytes` long. Throws MemoryError. The contents are unspecified.
void* allocate_buffer(std::size_t bytes);
void free_buffer(void* data, std::size_t bytes) noexcept;  // `bytes` as asked for

struct MemoryStats {
  std::uint64_t live_bytes = 0;
  std::uint64_t peak_bytes = 0;
  std::uint64_t system_allocations = 0;  // how often the system allocator was asked
};
MemoryStats memory_stats();
void reset_peak_memory();

}  // namespace swage
