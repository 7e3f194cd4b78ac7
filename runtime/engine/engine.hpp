// The engine of a process: what is shared by all streams. Known traces, plans, policy, the compile thread and the event log.
// Leaked on purpose: static destruction order must not matter.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <runtime/engine/kernel_table.hpp>
#include <runtime/engine/plan.hpp>

namespace swage {

// How far a program's ops travel.
enum class Tier : std::uint8_t {
  eager,     // no trace is looked up or kept
  traced,    // traces are kept and recognised, nothing is compiled
  compiled,  // the default: hot traces are compiled in the background and adopted
};

std::uint64_t nanoseconds_since_start();

struct EngineOptions {
  Tier tier = Tier::compiled;
  bool background = true;                 // compile on a thread of low priority; false: at once (tests)
  std::uint32_t runs_before_keeping = 2;  // sightings of a window's hash before the trie takes it
  std::uint32_t runs_before_compiling = 3;
  bool weigh_cost = true;                               // compile only where the predicted gain has paid for it (ski rental)
  int hash_bits = 64;                                   // fewer force collisions (tests)
  std::uint32_t soft_window_limit = 4096;               // past it, the window ends where its head record recurs …
  std::uint32_t hard_window_limit = 65536;              // … and past this one anywhere
  std::size_t max_traces = 4096;                        // known traces of a stream …
  bool remember = true;                                 // use what earlier processes stored (runtime/cache)
  std::uint64_t (*clock)() = &nanoseconds_since_start;  // what kernels, plans and compilations are timed by
  std::size_t max_trace_bytes = 64u << 20;              // … and their bytes; the ones unused for longest go first
};

// Counts since the process began, or since reset.
struct EngineStats {
  std::uint64_t ops = 0;           // primitives executed (input and cut records are none)
  std::uint64_t compiled_ops = 0;  // of those, in plans: generated code or library calls bound into one
  std::uint64_t windows = 0;
  std::uint64_t hits = 0;        // windows run by a plan
  std::uint64_t misses = 0;      // windows that matched no known trace to the end
  std::uint64_t side_exits = 0;  // deferred windows replayed by the interpreter
  std::uint64_t traces = 0;      // distinct traces kept
  std::uint64_t compiles = 0;    // plans published that code was generated for
  std::uint64_t assembled = 0;   // plans put together from code that was known
  std::uint64_t compile_failures = 0;
  double compile_ms_p50 = 0, compile_ms_max = 0, compile_ms_total = 0;
  double assemble_ms_p50 = 0, assemble_ms_max = 0;
};

// Wires in the kernels and the compiler. Called once, before the first op; the frontend does it at first use.
using KernelTableFactory = KernelTable (*)();
using CompilerFactory = std::unique_ptr<Compiler> (*)();  // called on the compile thread, at its first job
void wire_engine(KernelTableFactory kernels, CompilerFactory compiler);

EngineOptions engine_options();
// Settles the calling thread's window first. Known traces and plans are kept unless `forget` is called too.
void set_engine_options(const EngineOptions& options);
void forget_traces();      // drops every known trace and plan (waits for the compile thread)
void forget_code();        // drops the code kept for later traces (waits for the compile thread)
void wait_for_compiler();  // until the compile thread has nothing left to do
bool compiler_idle();

EngineStats engine_stats();

}  // namespace swage
