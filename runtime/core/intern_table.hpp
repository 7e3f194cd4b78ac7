// A thread-safe table that gives equal values one dense 32-bit id. Values never move and are never removed; looking one up by id
// takes no lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include <runtime/core/error.hpp>

namespace swage {

template <class T, class Hash>
class InternTable {
 public:
  std::uint32_t intern(const T& value) {
    const std::uint64_t hash = Hash{}(value);
    // Hits are served from a small per-thread cache.
    struct Entry {
      std::uint64_t hash = 0;
      std::uint32_t id_plus_1 = 0;
    };
    static thread_local std::array<Entry, 256> recent;
    Entry& entry = recent[hash % recent.size()];
    if (entry.id_plus_1 && entry.hash == hash && (*this)[entry.id_plus_1 - 1] == value) return entry.id_plus_1 - 1;
    const std::uint32_t id = intern_slowly(value, hash);
    entry = {hash, id + 1};
    return id;
  }

  const T& operator[](std::uint32_t id) const { return chunks_[id / kChunk].load(std::memory_order_acquire)[id % kChunk]; }

 private:
  static constexpr std::uint32_t kChunk = 1024;

  std::uint32_t intern_slowly(const T& value, std::uint64_t hash) {
    std::lock_guard lock(mutex_);
    const auto [first, last] = ids_.equal_range(hash);
    for (auto it = first; it != last; ++it)
      if ((*this)[it->second] == value) return it->second;
    const std::uint32_t id = size_;
    invariant(id / kChunk < chunks_.size(), "an intern table is full");
    std::atomic<T*>& chunk = chunks_[id / kChunk];
    if (!chunk.load(std::memory_order_relaxed)) chunk.store(new T[kChunk], std::memory_order_release);
    chunk.load(std::memory_order_relaxed)[id % kChunk] = value;
    ids_.emplace(hash, id);
    ++size_;
    return id;
  }

  std::mutex mutex_;
  std::unordered_multimap<std::uint64_t, std::uint32_t> ids_;
  std::uint32_t size_ = 0;
  std::array<std::atomic<T*>, 4096> chunks_{};
};

// Mixes a word into a hash (multiply and fold).
constexpr std::uint64_t mix_word(std::uint64_t hash, std::uint64_t word) {
  const unsigned __int128 product = static_cast<unsigned __int128>(hash ^ word) * 0x9E3779B97F4A7C15ull + 0x2545F4914F6CDD1Dull;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace swage
