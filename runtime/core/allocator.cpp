#include <runtime/core/allocator.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <sys/mman.h>
#include <vector>

#include <runtime/core/error.hpp>
#include <runtime/core/poison.hpp>

namespace swage {
namespace {

// Classes: four a power of two, from 64 bytes up, each a multiple of 64. A buffer carries kSlack readable bytes past its class.
constexpr std::size_t kSlack = 64;
constexpr int kClasses = 4 * 40;

int class_of(std::size_t bytes) {
  if (bytes <= 256) return static_cast<int>((bytes + 63) / 64) - (bytes ? 1 : 0);
  const int power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes ≤ 2^(power+1)
  const int quarter = static_cast<int>((bytes - 1 - (std::size_t{1} << power)) >> (power - 2));
  return 4 * (power - 8) + 4 + quarter;
}
std::size_t class_bytes(int size_class) {
  if (size_class < 4) return static_cast<std::size_t>(size_class + 1) * 64;
  const int power = size_class / 4 - 1 + 8;
  return (std::size_t{1} << power) + (static_cast<std::size_t>(size_class % 4 + 1) << (power - 2));
}

std::atomic<std::uint64_t> live_bytes{0}, peak_bytes{0}, system_allocations{0};

// Free buffers of one thread, given back to the system when it ends. Buffers that live longer are freed at once.
thread_local bool lists_are_gone = false;
struct FreeLists {
  std::array<std::vector<void*>, kClasses> lists;
  ~FreeLists() {
    lists_are_gone = true;
    release();
  }
  // True if there was a free buffer.
  bool release() {
    bool any = false;
    for (auto& list : lists) {
      for (void* data : list) std::free(data), any = true;
      list.clear();
    }
    return any;
  }
};
FreeLists& free_lists() {
  static thread_local FreeLists lists;
  return lists;
}

// Large buffers lie on huge pages as far as they fill them: a pass over one of 64 MB takes up to a third less time. A wish: without
// huge pages nothing else changes.
constexpr std::size_t kHugePage = std::size_t{2} << 20;

void* from_system(std::size_t bytes) {
  system_allocations.fetch_add(1, std::memory_order_relaxed);
  if (bytes < 2 * kHugePage) return std::aligned_alloc(kAlignment, bytes + kSlack);
  void* const data = std::aligned_alloc(kHugePage, (bytes + kSlack + kHugePage - 1) / kHugePage * kHugePage);
  if (data) static_cast<void>(madvise(data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE));
  return data;
}

}  // namespace

void* allocate_buffer(std::size_t bytes) {
  // Beyond the classes lies nothing that a machine could hold.
  if (bytes > (std::size_t{1} << 46)) raise<MemoryError>({}, "cannot allocate {} bytes", bytes);
  const int c = class_of(bytes);
  const std::size_t size = class_bytes(c);
  void* data = nullptr;
  auto* const list = lists_are_gone ? nullptr : &free_lists().lists[static_cast<std::size_t>(c)];
  if (list && !list->empty()) {
    data = list->back();
    list->pop_back();
    SWAGE_UNPOISON(data, size + kSlack);
  } else {
    data = from_system(size);
    if (!data && list && free_lists().release()) data = from_system(size);
    if (!data) raise<MemoryError>({}, "cannot allocate {} bytes", bytes);
  }
  SWAGE_POISON(static_cast<char*>(data) + bytes + kSlack, size - bytes);
  const std::uint64_t live = live_bytes.fetch_add(size, std::memory_order_relaxed) + size;
  std::uint64_t peak = peak_bytes.load(std::memory_order_relaxed);
  while (live > peak && !peak_bytes.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
  }
  return data;
}

void free_buffer(void* data, std::size_t bytes) noexcept {
  if (!data) return;
  const int c = class_of(bytes);
  live_bytes.fetch_sub(class_bytes(c), std::memory_order_relaxed);
  if (lists_are_gone) {
    std::free(data);
    return;
  }
  try {
    free_lists().lists[static_cast<std::size_t>(c)].push_back(data);
    SWAGE_POISON(data, class_bytes(c) + kSlack);
  } catch (...) {
    std::free(data);
  }
}

MemoryStats memory_stats() {
  return {live_bytes.load(std::memory_order_relaxed), peak_bytes.load(std::memory_order_relaxed),
          system_allocations.load(std::memory_order_relaxed)};
}

void reset_peak_memory() { peak_bytes.store(live_bytes.load(std::memory_order_relaxed), std::memory_order_relaxed); }

}  // namespace swage
