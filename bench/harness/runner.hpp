// Runs a workload in one of the four tiers and measures it.
//
//   eager   no trace is looked up or kept
//   traced  traces are kept and recognised, nothing is compiled
//   cold    the engine knows nothing at first, not even what earlier processes stored; it compiles while the run is measured
//   warm    steady state: a first instance of the workload runs until plans carry it and the compile thread rests. It is then
//           destroyed, and the one that is measured starts afresh from the same seed.
//
// Times, rates and shares count the steps of the measured instance alone; traces, compiles, compile times and the first compiled
// step cover the warm-up too.
//
// Hashing stands outside the times. Where time decides how long a run is, the digest is that of its first steps (`steps`, or
// kFewestSteps of them), so that such runs can be compared; the steps that follow come one upon the other, for while large
// tensors are hashed, the others lose their place in a cache that other processes use too.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <bench/harness/report.hpp>
#include <bench/harness/workload.hpp>
#include <runtime/engine/engine.hpp>

namespace swage::bench {

enum class RunTier { eager, traced, cold, warm };
inline constexpr std::array<std::string_view, 4> kRunTierNames = {"eager", "traced", "cold", "warm"};
std::optional<RunTier> run_tier_by_name(std::string_view name);

inline constexpr std::int64_t kFewestSteps = 5;

struct RunSettings {
  std::string workload;
  RunTier tier = RunTier::warm;
  std::int64_t steps = 0;  // 0: the workload's own number, or with `seconds` kFewestSteps
  double seconds = 0;      // go on after these steps until their times sum to this
  int threads = 1;
  WorkloadOptions options = {};
  std::filesystem::path save = {};  // the state to write at the end, and the one to go on from; empty for none
  std::filesystem::path load = {};
  bool no_batch = false;        // batch scopes run op by op
  double warm_up_seconds = 20;  // the longest warm-up
};

// What is known after a step.
struct StepInfo {
  std::int64_t step = 0;   // counted from 1; of the warm-up while `warming_up`
  std::int64_t steps = 0;  // 0 while warming up, and where time decides
  bool warming_up = false;
  double microseconds = 0;
  const StepOutputs& outputs;
  Workload& workload;
  const EngineStats& stats;  // since the process began
};
using StepObserver = std::function<void(const StepInfo&)>;

// Drops all known traces and code first, so that several runs in one process do not help each other. Raises swage::Error for a workload
// or an option that does not exist.
Report run_workload(const RunSettings& settings, const StepObserver& observer = {});

}  // namespace swage::bench
