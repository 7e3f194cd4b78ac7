// The always-on log of decisions: bounded rings of events with their reasons; hits have a ring of their own, so that they crowd nothing
// out. Per-op work is counted (StreamCounters), events are per window and per compilation; many hits of one trace are one event. Traces
// and plans are stored once. All of it lies in a file that others can read meanwhile (runtime/log/format.hpp), and is turned into words
// only there.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <runtime/log/reader.hpp>
#include <runtime/log/writer.hpp>
#include <runtime/trace/trace.hpp>

namespace swage {

enum class EventCode : std::uint32_t {
  kept,          // a window became a known trace
  requested,     // its compilation was queued
  compiled,      // a plan was published; value = microseconds
  assembled,     // the same, of code that was known: none was generated
  adopted,       // at a segment start; value = 1: a plan for a part of what has escaped
  failed,        // the compilation failed; the trace's refusal says why
  refused,       // not to be compiled at all; the trace's refusal says why
  hit,           // windows ran as a plan; value = how many since the event before of that trace
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

struct CompileResult;

struct Event {
  std::uint64_t ns = 0;  // since the process began
  EventCode code = EventCode::kept;
  std::uint32_t trace = 0;     // nearest known trace, 0 if none
  std::uint32_t position = 0;  // record
  std::uint32_t value = 0;
  KeyHalf key;
  CallSite site;             // of the record that `key` is of
  std::uint32_t stream = 0;  // whose thread added it; 0: the compile thread
};

class EventLog {
 public:
  static constexpr std::size_t kCapacity = runlog::Writer::kDecisions;  // of the ring of decisions

  // An empty path: memory only. Then decisions are kept for this process, and what only another one would read is not: hits, traces,
  // their figures and plans (unless SWAGE_LOG=memory, or SWAGE_DEBUG, wants them).
  explicit EventLog(const std::filesystem::path& file);
  // Allocates nothing, so that nothing is undone where memory is short. `site`: of the record that `key` is of.
  void add(EventCode code, std::uint32_t trace, std::uint32_t position = 0, std::uint32_t value = 0, const KeyHalf& key = {},
           CallSite site = {}) noexcept;
  // `count` hits since `since_ns` (since the process began).
  void add_hits(std::uint32_t trace, std::uint32_t count, std::uint64_t since_ns, std::uint64_t now_ns) noexcept;
  std::vector<Event> events() const;  // oldest first
  std::uint64_t total() const;        // ever added
  runlog::Run snapshot() const;       // as another process would read it

  // Where the figures of the trace stand that change; null where there is no room for it. Once for each trace.
  runlog::TraceFigures* store(const Trace& trace) noexcept;
  // Sums of what becomes of a storage that windows of the trace write out; null where there is no room.
  runlog::EscapeFigures* store_escape(std::uint32_t trace, std::uint32_t storage) noexcept;
  void store_plan(std::uint32_t trace, const CompileResult& made, bool tight, double ms) noexcept;
  // Of a trace that an earlier process kept: its call sites here.
  void store_sites(std::uint32_t trace, const ValueHalf* records, std::size_t n) noexcept;
  void store_refusal(std::uint32_t trace, std::string_view why) noexcept;
  // The counters of a new stream; they stay.
  StreamCounters& new_stream();

  const std::filesystem::path& path() const { return writer_.path(); }  // empty: memory only
  void end() noexcept;                                                  // the process ends by itself

  void before_fork() { mutex_.lock(); }
  void after_fork(bool in_child);

  // What no trace is to blame for, in words; the same words count once. Bounded too.
  void remark(std::string text);
  std::vector<std::string> remarks() const;  // oldest first
  void clear_remarks();

 private:
  // Ids that the file explains already.
  class Known {
   public:
    Known();
    bool insert(std::uint32_t id) noexcept;  // false where it was there

   private:
    static constexpr std::size_t kIds = std::size_t{1} << 22;  // as many as a table of interned values holds
    std::uint64_t* words_;
  };
  void explain(const KeyHalf& key) noexcept;
  void explain_descriptor(DescId id) noexcept;
  void explain_attribute(AttrId id) noexcept;
  void store_modules() noexcept;

  mutable std::mutex mutex_;
  runlog::Writer writer_;
  const bool is_read_;  // from outside, or for SWAGE_DEBUG
  Known descriptors_, attributes_;
  std::uint64_t modules_ = 0, streams_ = 0;
  std::vector<std::string> remarks_;
};

EventLog& event_log();
std::uint64_t nanoseconds_since_start();

}  // namespace swage
