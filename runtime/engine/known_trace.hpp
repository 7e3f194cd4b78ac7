// A trace that the engine keeps, with its history and its plan.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <runtime/engine/macro_record.hpp>
#include <runtime/engine/plan.hpp>
#include <runtime/engine/policy.hpp>
#include <runtime/engine/recorder.hpp>
#include <runtime/log/format.hpp>
#include <runtime/trace/trace.hpp>

namespace swage {

struct Family;

// A place where a path has been left for what was not known (forks.cpp).
struct Fork {
  RecordIndex at = 0;
  std::uint32_t left = 0;                              // how often
  std::uint32_t wait = 0;                              // it has been closed: until it is left so often
  std::uint64_t weighed_left = 0, weighed_passed = 0;  // when it was last asked whether every window should end here
};

// A plan with the storages that it writes out.
struct AdoptedPlan {
  std::unique_ptr<Plan> plan;
  std::vector<RecordIndex> outputs;
  PlanTimes times;
  std::uint32_t pending_ops = 0;  // that kernels run because their code is not there yet
};

// A trace has at most two plans. The wide one writes out every storage that has ever escaped, so it may run whenever the trace is
// hit. Where the same smaller part has escaped many times in a row, a tight one writes that part alone.
struct KnownTrace : std::enable_shared_from_this<KnownTrace> {
  Trace trace;  // immutable once kept

  TraceHistory history;
  std::uint64_t hits = 0;
  std::uint64_t side_exits = 0;
  std::uint32_t timed_runs = 0;
  EscapeMask seen;      // every storage that has escaped so far
  std::string refusal;  // why it is not compiled, in words

  bool dropped = false;  // no longer in the trie

  bool promised = false;  // of an earlier process: its plan is assembled when the program first reaches its end
  AdoptedPlan wide, tight;
  std::uint64_t held = 0;      // digest of the storages that escaped at the last hit of the wide plan
  std::uint32_t held_for = 0;  // hits in a row that it has been so
  std::uint32_t tight_requests = 0;
  bool shelved = false;            // its plans do not pay: it runs eagerly until its history says otherwise
  double saving_ns = 0;            // of one hit, as far as known
  std::shared_ptr<Ledger> ledger;  // of all traces with this structure
  std::shared_ptr<Family> family;  // of those that differ in extents alone
  bool ahead = false;              // it got its plan before it was hot, for its family's sake
  bool made_up = false;            // predicted, and no window has gone all along it yet
  double compile_ms = 0;
  std::size_t groups = 0, fused_ops = 0, library_calls = 0;
  std::string notes;

  // In the trie: positions below `shared` belong to `parent` and its parents.
  KnownTrace* parent = nullptr;
  RecordIndex shared = 0;
  std::uint32_t plans_below = 0;  // plans on paths that pass through this trace's own positions
  std::uint32_t children = 0;     // traces whose parent is this one
  std::uint64_t last_used = 0;    // the window that last ran along it

  std::vector<Fork> forks;
  static constexpr RecordIndex kNowhere = ~RecordIndex{0};
  RecordIndex ends_at = kNowhere;    // the first fork at which every window on this path ends
  const KnownTrace* next = nullptr;  // stems: what came behind the fork the last time, …
  std::uint32_t next_for = 0;        // … and how often in a row

  runlog::TraceFigures* figures = nullptr;       // as the event log shows them; null where there was no room
  std::uint64_t logged_hits = 0, logged_ns = 0;  // when hits were last logged
  void publish() const noexcept;                 // the figures as they are now
  // Hits are logged, and looked at closely: the first ones one by one, later ones many at a time.
  bool logs_hit() const {
    constexpr std::uint64_t kEach = 4, kTogether = 64;
    return hits <= kEach || hits % kTogether == 0;
  }
  void log_hits() noexcept;  // those since it was last called

  bool has_plan() const { return wide.plan != nullptr; }
  bool counted() const { return (has_plan() || promised) && !shelved; }  // among the plans of the trie
  std::size_t bytes() const;                                             // what keeping it takes, code apart

  // The first `limit` records as the recorder reads them, and one that nothing matches. Made at first use.
  const std::vector<ExpectedRecord>& expect(RecordIndex limit);
  bool expects_up_to(RecordIndex end) const { return end < expected_.size(); }
  std::vector<std::unique_ptr<MacroRecord>> macros;

 private:
  std::vector<ExpectedRecord> expected_;
};

}  // namespace swage
