// Linked into a test, it puts every tensor buffer, and every buffer of the compiler's self-tests, against an inaccessible page: whoever
// reads or writes beyond what is promised, or after the buffer was freed, stops at once.
//
// Half of the buffers end at the page, as closely as the promise allows: 64 bytes behind the last element may be read, but what lies
// there must not change. The other half begin at one; which is which follows no short period (Thue–Morse), for buffers come in pairs.
// The linker sends the library's calls of its allocators here (--wrap).
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <unordered_map>

#include <runtime/core/error.hpp>

namespace swage::test {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kReadable = 64;  // behind the end of every buffer (runtime/core/allocator.hpp)
constexpr std::size_t kAligned = 16;   // 64, as promised, would leave up to 63 bytes unguarded
constexpr unsigned char kUntouched = 0xA5;

struct Mapping {
  void* start;
  std::size_t mapped;
  std::size_t bytes, room;  // of the buffer, and with what may be read behind it
};

class GuardedMemory {
 public:
  static GuardedMemory& get() {
    static auto* const memory = new GuardedMemory;
    return *memory;
  }

  void* allocate(std::size_t bytes) {
    const std::size_t room = (bytes + kAligned - 1) / kAligned * kAligned + kReadable;
    const std::size_t pages = (room + kPage - 1) / kPage * kPage, mapped = pages + 2 * kPage;
    void* const start = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return nullptr;
    auto* const inside = static_cast<unsigned char*>(start) + kPage;
    if (mprotect(inside, pages, PROT_READ | PROT_WRITE) != 0) {
      munmap(start, mapped);
      return nullptr;
    }
    unsigned char* const data = std::popcount(count_.fetch_add(1)) % 2 == 0 ? inside + pages - room : inside;
    std::fill(data + bytes, data + room, kUntouched);
    const std::lock_guard lock(mutex_);
    mappings_[data] = {start, mapped, bytes, room};
    return data;
  }

  // False where the memory is none of ours.
  bool free(void* data) {
    Mapping mapping{};
    {
      const std::lock_guard lock(mutex_);
      const auto found = mappings_.find(data);
      if (found == mappings_.end()) return false;
      mapping = found->second;
      mappings_.erase(found);
    }
    const auto* const end = static_cast<const unsigned char*>(data);
    invariant(std::all_of(end + mapping.bytes, end + mapping.room, [](unsigned char byte) { return byte == kUntouched; }),
              "something was written behind the end of a buffer");
    munmap(mapping.start, mapping.mapped);
    return true;
  }

 private:
  std::atomic<std::uint64_t> count_{0};
  std::mutex mutex_;
  std::unordered_map<void*, Mapping> mappings_;
};

}  // namespace
}  // namespace swage::test

using swage::test::GuardedMemory;

// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" void* __wrap__ZN5swage15allocate_bufferEm(std::size_t bytes) {
  void* const data = GuardedMemory::get().allocate(bytes);
  if (!data) swage::raise<swage::MemoryError>({}, "cannot allocate {} bytes", bytes);
  return data;
}
extern "C" void __wrap__ZN5swage11free_bufferEPvm(void* data, std::size_t) noexcept {
  if (data) swage::invariant(GuardedMemory::get().free(data), "a buffer is freed that was not allocated");
}
// The self-tests ask for 64 bytes more than they use.
extern "C" void* __wrap__ZnwmSt11align_val_tRKSt9nothrow_t(std::size_t bytes, std::align_val_t,
                                                           const std::nothrow_t&) noexcept {
  return GuardedMemory::get().allocate(bytes - swage::test::kReadable);
}
extern "C" void __real__ZdlPvSt11align_val_t(void* data, std::align_val_t alignment) noexcept;
extern "C" void __wrap__ZdlPvSt11align_val_t(void* data, std::align_val_t alignment) noexcept {
  if (data && !GuardedMemory::get().free(data)) __real__ZdlPvSt11align_val_t(data, alignment);
}
// NOLINTEND(bugprone-reserved-identifier)
