#include <test/faults/failing_allocator.hpp>

#include <cstddef>
#include <cstdlib>
#include <new>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>

namespace swage::test {
namespace {

struct State {
  bool armed = false;
  Memory memory = Memory::buffers;
  std::uint64_t nth = 0, count = 0;
  bool for_good = false, failed = false;

  bool fails(Memory asked) {
    if (!armed || memory != asked) return false;
    ++count;
    const bool now = count == nth || (for_good && count > nth);
    failed |= now;
    return now;
  }
};
constinit thread_local State state;

void* from_heap(std::size_t bytes, std::size_t alignment) {
  if (state.fails(Memory::heap)) throw std::bad_alloc();
  void* data = alignment <= alignof(std::max_align_t) ? std::malloc(bytes ? bytes : 1) : nullptr;
  if (alignment > alignof(std::max_align_t) && posix_memalign(&data, alignment, bytes) != 0) data = nullptr;
  if (!data) throw std::bad_alloc();
  return data;
}

void* from_heap_or_null(std::size_t bytes, std::size_t alignment) noexcept {
  try {
    return from_heap(bytes, alignment);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace

FailingAllocator::FailingAllocator(Memory memory, std::uint64_t nth, bool for_good) {
  state = {.armed = true, .memory = memory, .nth = nth, .for_good = for_good};
}
void FailingAllocator::stop() { state.armed = false; }
std::uint64_t FailingAllocator::count() const { return state.count; }
bool FailingAllocator::failed() const { return state.failed; }

}  // namespace swage::test

// The linker sends calls of swage::allocate_buffer here (--wrap). NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" void* __real__ZN5swage15allocate_bufferEm(std::size_t bytes);
extern "C" void* __wrap__ZN5swage15allocate_bufferEm(std::size_t bytes) {
  if (swage::test::state.fails(swage::test::Memory::buffers))
    swage::raise<swage::MemoryError>({}, "cannot allocate {} bytes (by a test)", bytes);
  return __real__ZN5swage15allocate_bufferEm(bytes);
}
// NOLINTEND(bugprone-reserved-identifier)

void* operator new(std::size_t bytes) { return swage::test::from_heap(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return swage::test::from_heap(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return swage::test::from_heap_or_null(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return swage::test::from_heap_or_null(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* data) noexcept { std::free(data); }
void operator delete(void* data, std::size_t) noexcept { std::free(data); }
void operator delete(void* data, std::align_val_t) noexcept { std::free(data); }
void operator delete(void* data, std::size_t, std::align_val_t) noexcept { std::free(data); }
