// Warm memory for small objects that come and go with every op: freed blocks wait in a list of their thread.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace swage::detail {

template <class T, std::size_t kKept = 16384>
class FreeList {
 public:
  static void* take() {
    if (!first_) [[unlikely]]
      return ::operator new(sizeof(T));
    ++room_;
    return std::exchange(first_, first_->next);
  }
  static void give(void* memory) noexcept {
    if (room_ == 0) [[unlikely]]
      return give_slowly(memory);
    --room_;
    first_ = new (memory) Block{first_};
  }

 private:
  struct Block {
    Block* next;
  };
  // Empties the list when the thread ends. Made when the first block comes back.
  struct Closer {
    bool open = false, closed = false;
    ~Closer() {
      closed = true;
      room_ = 0;
      while (first_) ::operator delete(std::exchange(first_, first_->next));
    }
  };

  [[gnu::noinline]] static void give_slowly(void* memory) noexcept {
    static thread_local Closer closer;
    if (closer.open || closer.closed) {
      ::operator delete(memory);
      return;
    }
    closer.open = true;
    room_ = kKept;
    give(memory);
  }

  // Plain data, so that reading it calls nothing.
  static inline constinit thread_local Block* first_ [[gnu::tls_model("initial-exec")]] = nullptr;
  static inline constinit thread_local std::size_t room_ [[gnu::tls_model("initial-exec")]] = 0;  // for more blocks
};

}  // namespace swage::detail
