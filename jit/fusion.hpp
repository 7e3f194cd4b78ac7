// Which records run together. Pure policy: a trace in, an ordered list of groups out.
//
// Records are taken in order; each joins a group that exists or opens one at the end. The order of groups is the order of
// execution, so a record may join group G if everything it depends on (whatever wrote what it reads; for a write in place also
// whatever read or wrote that storage) lies in groups before G, or in G itself at exactly the same elements, where the value
// is handed over in a register. Dependences are tracked by storage; joins always point backwards, so there are no cycles.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <jit/space.hpp>

namespace swage::jit {

inline constexpr std::size_t kMaxGroupRecords = 64;
inline constexpr std::size_t kMaxGroupAccesses = 24;  // from outside the group, or written in place
inline constexpr std::size_t kMaxGroupValues = 96;
inline constexpr int kMaxGroupPasses = 5;

struct Group {
  bool library = false;  // one record, run by its kernel
  Space space;
  std::vector<RecordIndex> records;  // computing records, in order
  std::vector<RecordIndex> copies;   // those of them that an earlier group computes too; never stored
};

struct Grouping {
  std::vector<Group> groups;     // in order of execution
  std::vector<int> first_touch;  // by storage: first group that reads or writes it, -1 for none
  std::vector<int> last_touch;   // by storage: last one
  std::vector<int> first_write;  // by storage: first group that writes it, -1 for none
  std::vector<bool> by_library;  // by storage: a library call touches it
  std::vector<std::string> notes;

  // Whether what group `g` writes to the storage is read by anyone outside the group.
  bool stored(const Trace& trace, const EscapeMask& escapes, RecordIndex storage, int g) const {
    const std::vector<RecordIndex>& copies = groups[static_cast<std::size_t>(g)].copies;
    if (std::find(copies.begin(), copies.end(), storage) != copies.end()) return false;
    return trace.is_input(storage) || escapes.test(storage) || last_touch[storage] > g;
  }
  bool needs_buffer(RecordIndex storage) const { return by_library[storage] || first_touch[storage] != last_touch[storage]; }
};

// Whether the record computes something (not structure, not a view).
bool computes(const KeyHalf& key);

// `alone`: by record, those that must not be fused (empty: none).
Grouping group_records(const Trace& trace, const std::vector<bool>& alone);

// Fills what a grouping says by storage from its groups.
void count_touches(const Trace& trace, Grouping& grouping);

}  // namespace swage::jit
