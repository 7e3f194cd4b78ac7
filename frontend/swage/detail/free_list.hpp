// Warm memory for small objects that come and go with every op: freed blocks wait in a list of their thread.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace swage::detail {

template <class T, std::size_t kKept = 4096>
class FreeList {
 public:
  static void* take() {
    State& state = state_;
    if (state.first) {
      --state.count;
      return std::exchange(state.first, state.first->next);
    }
    return ::operator new(sizeof(T));
  }
  static void give(void* memory) noexcept {
    State& state = state_;
    if (state.closed || state.count == kKept) {
      ::operator delete(memory);
      return;
    }
    ++state.count;
    state.first = new (memory) Block{state.first};
  }

 private:
  struct Block {
    Block* next;
  };
  struct State {
    Block* first = nullptr;
    std::size_t count = 0;
    bool closed = false;
    ~State() {
      closed = true;
      while (first) ::operator delete(std::exchange(first, first->next));
    }
  };
  static inline thread_local State state_;
};

}  // namespace swage::detail
