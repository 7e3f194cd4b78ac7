// Machine code by program, across traces: a path that forks, another thread's stream and a trace of an earlier process find the
// code of the groups that they share. Bounded; least recently used goes first. Code that a plan uses lives as long as the plan.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <jit/cpu/backend.hpp>
#include <jit/cpu/code_pages.hpp>

namespace swage::jit {

// A function and what keeps its memory.
struct NativeFunction {
  GroupFunction call = nullptr;
  std::shared_ptr<const CodePages> pages;
};

// Thread-safe.
class CodeCache {
 public:
  struct Limits {
    std::size_t programs = 8192;
    std::size_t bytes = std::size_t{64} << 20;  // of pages; one that holds several programs counts once a program
  };
  CodeCache() = default;
  explicit CodeCache(Limits limits) : limits_(limits) {}

  // No function where the program is not known.
  NativeFunction find(std::string_view key);
  void add(const std::string& key, const NativeFunction& function);
  void clear();
  std::size_t size() const;

 private:
  struct Entry {
    std::string key;
    NativeFunction function;
  };
  void drop_oldest();

  Limits limits_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // latest use first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace swage::jit
