// The always-on log of decisions: bounded rings of events with their reasons; hits have a ring of their own, so that they crowd
// nothing out. Per-op work is counted (StreamCounters), events are
// per window and per compilation. What it holds is turned into words only when it is read.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <runtime/trace/op_record.hpp>

namespace swage {

enum class EventCode : std::uint32_t {
  kept,          // a window became a known trace
  requested,     // its compilation was queued
  compiled,      // a plan was published; value = microseconds
  assembled,     // the same, of code that was known: none was generated
  adopted,       // at a segment start; value = 1: a plan for a part of what has escaped
  failed,        // the compilation failed; the trace's refusal says why
  refused,       // not to be compiled at all; the trace's refusal says why
  hit,           // a window ran as a plan
  missed,        // a window left every known path; position and key: where, and what came instead
  side_exit,     // a deferred window was replayed by the interpreter; position and key as above
  check_failed,  // the plan refused the data at `position`; the window was replayed
  escapes_grew,  // a value outlived the window that the plan does not write out (`position`)
  evicted,       // known traces were dropped to stay within the limits; value = how many
  shelved,       // its plan does not pay and waits; value = its time in percent of the eager one
  resumed,       // a shelved plan is tried again
  predicted,     // a trace was made up for extents not seen yet, up to `position` like trace `value`
  storm,         // not compiled, for earlier compilations of its structure have not paid yet; value = how many there were
  remembered,    // traces of earlier processes entered the trie; value = how many
  forked,        // a path is left at `position` in many ways: windows end there; value = the trace that stands before it
  closed,        // behind the fork at `position` the same always follows: windows go on
};
inline constexpr std::array<std::string_view, 20> kEventNames = {
    "kept",    "requested", "compiled",  "assembled",    "adopted",      "failed",  "refused",
    "hit",     "missed",    "side_exit", "check_failed", "escapes_grew", "evicted", "shelved",
    "resumed", "predicted", "storm",     "remembered",   "forked",       "closed"};

struct Event {
  std::uint64_t ns = 0;  // since the process began
  EventCode code = EventCode::kept;
  std::uint32_t trace = 0;     // nearest known trace, 0 if none
  std::uint32_t position = 0;  // record
  std::uint32_t value = 0;
  KeyHalf key;
};

class EventLog {
 public:
  static constexpr std::size_t kCapacity = 1 << 13;  // of each ring

  EventLog();
  // Allocates nothing, so that nothing is undone where memory is short.
  void add(EventCode code, std::uint32_t trace, std::uint32_t position = 0, std::uint32_t value = 0, const KeyHalf& key = {});
  std::vector<Event> events() const;  // oldest first
  std::uint64_t total() const;        // ever added

  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

  // What no trace is to blame for, in words; the same words count once. Bounded too.
  void remark(std::string text);
  std::vector<std::string> remarks() const;  // oldest first
  void clear_remarks();

 private:
  struct Ring {
    std::vector<Event> events;
    std::uint64_t total = 0;
  };
  mutable std::mutex mutex_;
  Ring decisions_, hits_;
  std::vector<std::string> remarks_;
};

EventLog& event_log();

// In words, which field of `got` differs from `expected`.
std::string describe_difference(const KeyHalf& expected, const KeyHalf& got);

}  // namespace swage
