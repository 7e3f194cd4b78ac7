// Programs with symbols, found by what is left of a program without its numbers. A structure never seen before so runs code that a family
// of another structure has made: the layer that is inserted into a network has the loops of those that had been widened.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <jit/program.hpp>

namespace swage::jit {

// What `code` needs to do what `program` (without symbols) does: the values of its symbols. Nothing where it does something else.
std::optional<std::vector<ScalarValue>> bind_symbols(const Program& code, const Program& program);

// Thread-safe.
class GenericPrograms {
 public:
  static constexpr std::size_t kMost = 2048;  // least recently used goes first

  void add(const Program& code);
  // Lets `bound` run code that is known here; false where there is none.
  bool find(BoundProgram& bound);
  void clear();

 private:
  struct Entry {
    std::string outline;
    std::shared_ptr<const Program> code;
  };
  using Entries = std::list<Entry>;

  std::mutex mutex_;
  Entries entries_;  // latest use first
  std::unordered_multimap<std::string_view, Entries::iterator> by_outline_;
};

}  // namespace swage::jit
