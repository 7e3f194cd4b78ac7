// The known traces of a stream, and a cursor that follows a program along them. Each trace holds its keys contiguously; only where
// two traces part is there an edge. Keys are compared whole: a hash never decides.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include <runtime/engine/known_trace.hpp>

namespace swage {

// A place on a known path: the next key expected is trace->trace.keys[position]. The root has no trace.
struct Cursor {
  KnownTrace* trace = nullptr;
  RecordIndex position = 0;

  bool at_end() const { return trace && position == trace->trace.size(); }
};

class TraceTrie {
 public:
  // Moves the cursor over `key` if a known trace goes on so.
  bool advance(Cursor& cursor, const KeyHalf& key) const {
    if (cursor.trace && cursor.position < cursor.trace->trace.size() && cursor.trace->trace.keys[cursor.position] == key)
        [[likely]] {
      ++cursor.position;
      return true;
    }
    return branch(cursor, key);
  }

  // Takes a complete trace that is not known yet.
  KnownTrace& insert(std::shared_ptr<KnownTrace> trace);
  void add_plan(KnownTrace& trace);  // it has a plan now
  void remove_plan(KnownTrace& trace);
  std::size_t plans() const { return plans_; }
  const std::vector<std::shared_ptr<KnownTrace>>& traces() const { return traces_; }
  std::size_t bytes() const { return bytes_; }
  // Drops traces down to the limits, those unused for longest first. A trace that others go on from stays as long as they do, but
  // loses its plans with them. No cursor may stand on the trie. Returns how many were dropped.
  std::size_t evict(std::size_t most_traces, std::size_t most_bytes);
  void clear();

 private:
  struct Edge {
    const KnownTrace* from;
    RecordIndex position;
    KeyHalf key;
    friend bool operator==(const Edge&, const Edge&) = default;
  };
  struct HashEdge {
    std::size_t operator()(const Edge& edge) const {
      return mix_key(reinterpret_cast<std::uintptr_t>(edge.from) + edge.position, edge.key);
    }
  };

  bool branch(Cursor& cursor, const KeyHalf& key) const;

  std::unordered_map<Edge, KnownTrace*, HashEdge> edges_;
  std::vector<std::shared_ptr<KnownTrace>> traces_;
  std::size_t plans_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace swage
