// Makes chosen allocations of the calling thread fail. Linked into a test, it stands between the library and its allocators: the
// tensors' (allocate_buffer) and the heap (operator new).
#pragma once

#include <cstdint>

namespace swage::test {

enum class Memory { buffers, heap };

// While it lives, allocations of this thread are counted. The `nth` (from 1) fails, and with `for_good` all later ones too.
class FailingAllocator {
 public:
  FailingAllocator(Memory memory, std::uint64_t nth, bool for_good);
  ~FailingAllocator() { stop(); }
  FailingAllocator(const FailingAllocator&) = delete;
  FailingAllocator& operator=(const FailingAllocator&) = delete;

  void stop();  // nothing fails any more
  std::uint64_t count() const;
  bool failed() const;  // whether any was made to fail
};

}  // namespace swage::test
