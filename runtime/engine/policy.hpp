// Hotness: a small pure machine from what was seen of a trace to what should be done with it.
#pragma once

#include <cstdint>

#include <runtime/engine/engine.hpp>

namespace swage {

struct TraceHistory {
  std::uint64_t runs = 0;  // since it was kept
  double eager_ns = 0;     // mean time of its kernels when run eagerly
  std::uint32_t ops = 0;
  bool whole = false;          // its caller runs it as a whole once it has a plan, and calls none of its ops
  bool compilable = true;      // false once refused, or while it touches borrowed memory
  bool requested = false;      // queued, or a plan exists
  std::uint32_t failures = 0;  // compilations that failed
  bool escapes_grew = false;   // the plan's mask no longer covers what escapes
  std::uint64_t runs_at_last_request = 0;
  // Eager times beside which plans are judged: least of `timed_runs`. Machines have slow phases; the least of several is robust.
  double eager_best_ns = 0;
  std::uint32_t timed_runs = 0;
  std::uint32_t shelvings = 0;  // how often its plans were found not to pay
  std::uint64_t resume_at = 0;  // while shelved: the run at which they are tried again
};

// The first runs of a plan are timed.
struct PlanTimes {
  double best_ns = 0;
  std::uint32_t runs = 0;
};
inline constexpr std::uint32_t kTimedRuns = 16;

// What compiling has cost and saved: a ledger for all traces of one structure (the same ops on the same operands, whatever the
// extents and literals), and one for the stream.
struct Ledger {
  double spent_ns = 0, saved_ns = 0;
  double last_cost_ns = 0;  // of its latest compilation; 0 before the first
  std::uint32_t compilations = 0;
  bool storm = false;  // its debt keeps a trace from being compiled that would be alone

  double debt_ns() const { return spent_ns > saved_ns ? spent_ns - saved_ns : 0; }
  void spent(double ns);
};

enum class Decision : std::uint8_t {
  none,
  compile,
  held_back,  // it has earned its own compilation, but not what earlier ones of its structure, or of the stream, still owe
};

// Ski rental: compile once the time that a plan would have saved so far reaches what compiling costs. A structure whose earlier
// compilations have not paid must earn their cost too, so shapes that keep changing cannot start a storm of compilations; and all
// compilations together may owe half a second, and beyond it a twentieth of the time that has passed.
Decision decide(const TraceHistory& history, const EngineOptions& options, const Ledger& structure, const Ledger& stream,
                double elapsed_ns);

// What a compilation is expected to cost, in nanoseconds of the compile thread.
double predicted_compile_ns(std::uint32_t ops);
// What of a compilation's cost its structure owes. The first one starts the compiler up, which serves all that follow: that is the stream's
// debt alone.
double structures_share(double ns, std::uint32_t ops, bool first);
// What a plan is expected to save in one run: a part of the kernels' time, and the way of each op to its kernel; all the
// calls too, where the window is then run as a whole.
double predicted_saving_ns(const TraceHistory& history);
// As above, once a plan has been timed.
double measured_saving_ns(const TraceHistory& history, const PlanTimes& plan);

// Whether pauses of the user's thread are rare enough for one more. `paused_ns`: all of them so far.
bool affords_pause(double expected_ns, double paused_ns, double elapsed_ns);
// Whether a plan may be put together on the user's thread, at the end of the step that it makes shorter: it holds the step up for hardly
// longer than it saves, or, where such pauses are rare, for the length of a frame at most.
bool may_pause(double expected_ns, double saving_ns, double paused_ns, double elapsed_ns);

// Whether a plan that has been timed is slower than the kernels one by one.
bool does_not_pay(const TraceHistory& history, const PlanTimes& plan);
// Shelves the trace: its plans are tried again after a wait that grows eightfold each time. False where they had chances enough.
bool shelve(TraceHistory& history);

// Whether a stream runs the same few traces again and again, so that a window which it does not know is news: what follows will most
// likely do the same. A program that parts somewhere is not steady, whatever it runs between its forks.
class Steadiness {
 public:
  void hit() { level_ = level_ < kMost ? level_ + 1 : kMost; }
  void forked() { level_ = 0; }
  // Whether it has been so until this window. A few may be new in a row.
  bool missed() {
    const bool steady = level_ >= kSteady;
    level_ = level_ > kDrop ? level_ - kDrop : 0;
    return steady;
  }

 private:
  static constexpr std::uint32_t kMost = 64, kSteady = 32, kDrop = 8;
  std::uint32_t level_ = 0;
};

// When windows keep leaving known paths, or never repeat, fewer of them are deferred or tracked: skips double up to a bound, and
// are drawn at random so that no period of the program can hide behind them.
class Backoff {
 public:
  bool skip();  // whether to sit this window out
  void succeeded() { misses_ = 0; }
  void failed();  // the attempt was in vain

 private:
  std::uint32_t misses_ = 0;
  std::uint32_t left_ = 0;
  std::uint32_t state_ = 0x9E3779B9u;
};

}  // namespace swage
