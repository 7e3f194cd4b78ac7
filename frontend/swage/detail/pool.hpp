// Warm memory for what comes and goes with a step and has any size: gradients written by hand, the lists of a backward pass. Blocks are
// of powers of two; freed ones wait in lists of their thread, so a steady loop asks the system for nothing.
#pragma once

#include <bit>
#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#include <swage/detail/free_list.hpp>

namespace swage::detail {

class Pool {
 public:
  static void* take(std::size_t bytes) {  // raises std::bad_alloc
    const std::size_t c = class_of(bytes);
    return c < kClasses ? functions().take[c]() : ::operator new(bytes);
  }
  static void give(void* memory, std::size_t bytes) noexcept {  // `bytes` as asked for
    const std::size_t c = class_of(bytes);
    if (c < kClasses)
      functions().give[c](memory);
    else
      ::operator delete(memory);
  }

 private:
  static constexpr std::size_t kSmallest = 32, kClasses = 12;
  static constexpr std::size_t kKeptBytes = std::size_t{1} << 20;  // of each class

  template <std::size_t kClass>
  struct alignas(16) Block {
    std::byte bytes[kSmallest << kClass];
  };
  template <std::size_t kClass>
  using List = FreeList<Block<kClass>, kKeptBytes / sizeof(Block<kClass>)>;

  static constexpr std::size_t class_of(std::size_t bytes) {
    return bytes <= kSmallest ? 0 : static_cast<std::size_t>(std::bit_width((bytes - 1) / kSmallest));
  }

  struct Functions {
    void* (*take[kClasses])();
    void (*give[kClasses])(void*) noexcept;
  };
  static const Functions& functions() {
    static constexpr Functions kFunctions = []<std::size_t... kClass>(std::index_sequence<kClass...>) {
      return Functions{{&List<kClass>::take...}, {&List<kClass>::give...}};
    }(std::make_index_sequence<kClasses>());
    return kFunctions;
  }
};

// For standard containers.
template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT(google-explicit-constructor): the way of allocators
  T* allocate(std::size_t n) { return static_cast<T*>(Pool::take(n * sizeof(T))); }
  void deallocate(T* memory, std::size_t n) noexcept { Pool::give(static_cast<void*>(memory), n * sizeof(T)); }
  friend bool operator==(PoolAllocator, PoolAllocator) { return true; }
};
template <class T>
using PoolVector = std::vector<T, PoolAllocator<T>>;

}  // namespace swage::detail
