// Hotness: a small pure machine from what was seen of a trace to what should be done with it.
#pragma once

#include <cstdint>

#include <runtime/engine/engine.hpp>

namespace swage {

struct TraceHistory {
  std::uint64_t runs = 0;  // since it was kept
  double eager_ns = 0;     // mean time of its kernels when run eagerly
  std::uint32_t ops = 0;
  bool compilable = true;      // false once refused, or while it touches borrowed memory
  bool requested = false;      // queued, or a plan exists
  std::uint32_t failures = 0;  // compilations that failed
  bool escapes_grew = false;   // the plan's mask no longer covers what escapes
  std::uint64_t runs_at_last_request = 0;
};

enum class Decision : std::uint8_t { none, compile };

// Ski rental: compile once the time that a plan would have saved so far reaches what compiling costs.
Decision decide(const TraceHistory& history, const EngineOptions& options);

// What a compilation is expected to cost, in nanoseconds of the compile thread.
double predicted_compile_ns(std::uint32_t ops);
// What a plan is expected to save in one run: a part of the kernels' time, and the way of each op to its kernel.
double predicted_saving_ns(const TraceHistory& history);

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
