// The records since the last cut. While the program is on a known path only the value halves are kept: the keys are the path's.
// They are copied out when the path is left.
#pragma once

#include <vector>

#include <runtime/engine/trace_trie.hpp>

namespace swage {

inline constexpr std::uint64_t kNoEpoch = (std::uint64_t{1} << 44) - 1;  // between windows

struct Window {
  std::uint64_t epoch = kNoEpoch;
  std::vector<ValueHalf> values;
  Cursor cursor;
  bool on_path = false;
  // Off the path only.
  std::vector<KeyHalf> keys;
  std::vector<DescId> results;

  RecordIndex size() const { return static_cast<RecordIndex>(values.size()); }
  const Trace& path() const { return cursor.trace->trace; }
  const KeyHalf& key(RecordIndex i) const { return on_path ? path().keys[i] : keys[i]; }
  bool is_input(RecordIndex i) const { return key(i).op == Op::input; }
  bool tagged(Tag tag) const { return epoch_of(tag) == epoch; }

  void push(const KeyHalf& record, DescId result, const ValueHalf& half) {
    values.push_back(half);
    if (on_path) return;
    keys.push_back(record);
    results.push_back(result);
  }

  void leave_path() {
    if (!on_path) return;
    if (!values.empty()) {
      const auto n = static_cast<std::ptrdiff_t>(values.size());
      keys.assign(path().keys.begin(), path().keys.begin() + n);
      results.assign(path().results.begin(), path().results.begin() + n);
    }
    on_path = false;
  }

  void clear() {
    values.clear();
    keys.clear();
    results.clear();
    cursor = {};
    on_path = false;
  }
};

}  // namespace swage
