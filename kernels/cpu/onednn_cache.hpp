// What one thread holds of oneDNN. Included by the sources that call the library only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <memory>

#include <oneapi/dnnl/dnnl.hpp>

#include <kernels/cpu/layout.hpp>

extern "C" void omp_set_num_threads(int threads);

namespace swage {

class OneDnnThread {
 public:
  static OneDnnThread& current() {
    static thread_local OneDnnThread thread;
    return thread;
  }
  const dnnl::engine& engine() const { return engine_; }
  const dnnl::stream& stream() const { return stream_; }

  // At least `bytes`, kept for the thread's next call; 64-byte aligned.
  char* scratch(std::size_t bytes) {
    if (bytes > size_) {
      scratch_.reset();
      size_ = 0;
      scratch_ = std::make_unique<Scratch>(bytes);
      size_ = bytes;
    }
    return scratch_ ? scratch_->as<char>() : nullptr;
  }

 private:
  OneDnnThread() : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) { omp_set_num_threads(1); }

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::unique_ptr<Scratch> scratch_;
  std::size_t size_ = 0;
};

// Entries by key, least recently used first to go. Key is plain data without padding.
template <class Key, class Entry>
class LeastRecentlyUsed {
 public:
  explicit LeastRecentlyUsed(std::size_t limit) : limit_(limit) {}

  template <class Make>
  Entry& get(const Key& key, Make&& make) {
    const std::size_t hash = hash_of(key);
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->hash != hash || !(it->key == key)) continue;
      if (it != entries_.begin()) entries_.splice(entries_.begin(), entries_, it);
      return it->entry;
    }
    entries_.push_front({hash, key, make()});
    if (entries_.size() > limit_) entries_.pop_back();
    return entries_.front().entry;
  }

 private:
  struct Held {
    std::size_t hash;
    Key key;
    Entry entry;
  };
  static std::size_t hash_of(const Key& key) {
    std::uint64_t words[sizeof(Key) / 8], hash = 0;
    static_assert(sizeof(Key) % 8 == 0);
    std::memcpy(words, &key, sizeof key);
    for (const std::uint64_t word : words) {
      hash = (hash ^ word) * 0x9E3779B97F4A7C15ull;
      hash ^= hash >> 32;
    }
    return hash;
  }

  std::size_t limit_;
  std::list<Held> entries_;
};

// A failing library call: out of memory is the user's to hear, anything else a bug.
template <class F>
void with_onednn(F&& f) {
  try {
    f();
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) raise<MemoryError>({}, "oneDNN: out of memory");
    fail(__FILE__, __LINE__, "oneDNN: {} (status {})", error.message, static_cast<int>(error.status));
  }
}

}  // namespace swage
