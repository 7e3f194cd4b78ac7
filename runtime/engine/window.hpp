// The records since the last cut. While the program is on a known path only the value halves are kept: the keys are the path's.
// They are copied out when the path is left.
#pragma once

#include <new>
#include <vector>

#include <runtime/engine/recorder.hpp>
#include <runtime/engine/trace_trie.hpp>

namespace swage {

inline constexpr std::uint64_t kNoEpoch = (std::uint64_t{1} << 44) - 1;  // between windows

// The recorder holds the value halves, and follows the path on its own where ops are deferred; `cursor` is brought up to date by
// `sync`.
struct Window : Recorder {
  std::uint64_t epoch = kNoEpoch;
  Cursor cursor;
  bool on_path = false;
  // Off the path only.
  std::vector<KeyHalf> keys;
  std::vector<DescId> results;

  RecordIndex size() const { return static_cast<RecordIndex>(values.size()); }
  const Trace& trace() const { return cursor.trace->trace; }
  const KeyHalf& key(RecordIndex i) const { return on_path ? trace().keys[i] : keys[i]; }
  bool is_input(RecordIndex i) const { return key(i).op == Op::input; }
  bool tagged(Tag tag) const { return epoch_of(tag) == epoch; }

  void begin(std::uint64_t new_epoch) {
    epoch = new_epoch;
    first_tag = next_tag = make_tag(epoch, 0);
    cursor = {};
    on_path = true;
  }

  void sync() {
    if (on_path && cursor.trace) cursor.position = size();
  }
  // Ops that the path expects are deferred from now on; paths are followed alone to `limit` records. Without memory for that, ops go the
  // slow way.
  void arm(RecordIndex limit) noexcept {
    next = &kNothingExpected;
    if (!cursor.trace) return;
    try {
      const auto& expected = cursor.trace->expect(limit);
      if (size() >= expected.size()) return;
      values.reserve(expected.size() + 1);
      path = cursor.trace;
      next = &expected[size()];
    } catch (const std::bad_alloc&) {
      disarm();
    }
  }
  void disarm() { next = &kNothingExpected; }

  void push(const KeyHalf& record, DescId result, const ValueHalf& half) {
    values.push_back(half);
    ++next_tag;
    if (on_path) return;
    keys.push_back(record);
    results.push_back(result);
  }
  void pop() {  // the record of a path
    values.pop_back();
    --next_tag;
  }

  void leave_path() {
    if (!on_path) return;
    if (!values.empty()) {
      const auto n = static_cast<std::ptrdiff_t>(values.size());
      keys.assign(trace().keys.begin(), trace().keys.begin() + n);
      results.assign(trace().results.begin(), trace().results.begin() + n);
    }
    on_path = false;
  }

  // What dies from here on is not looked for.
  void end_tags() {
    epoch = kNoEpoch;
    first_tag = next_tag = make_tag(kNoEpoch, 0);
    disarm();
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
