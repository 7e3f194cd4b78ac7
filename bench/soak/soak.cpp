#include <bench/soak/soak.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <unistd.h>
#include <utility>

#include <bench/harness/workload.hpp>
#include <swage/swage.hpp>

namespace swage::bench {
namespace {

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

}  // namespace

SoakFigures run_soak(const SoakSettings& settings, const SoakObserver& observer) {
  constexpr double kBetweenSamples = 10;
  using Clock = std::chrono::steady_clock;
  WorkloadOptions options;
  options.seed = settings.seed;
  options.size = settings.size;
  options.random_batches = true;
  const std::unique_ptr<Workload> workloads[] = {find_workload("transformer")->make(options),
                                                 find_workload("digits")->make(options)};
  const EngineStats before = engine_stats();
  std::map<std::pair<int, std::int64_t>, int> met;
  SoakFigures figures;
  SoakSample& now = figures.last;
  const auto start = Clock::now();
  double next_sample = kBetweenSamples;
  bool warm = false;
  do {
    for (int k = 0; k < 2; ++k) {
      const std::uint64_t misses = engine_stats().misses;
      workloads[k]->step();
      const bool known = met[{k, workloads[k]->units_per_step()}]++ >= kMeetings;
      if (warm && known) figures.misses_after_warm_up += engine_stats().misses - misses;
    }
    now.steps += 2;
    now.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const bool ends = now.seconds >= settings.seconds, warms = !warm && (now.seconds >= settings.warm_up_seconds || ends);
    if (now.seconds < next_sample && !ends && !warms) continue;
    now.resident_mib = resident_mib();
    now.misses = engine_stats().misses - before.misses;
    now.sizes = met.size();
    if (warms) {
      warm = true;
      figures.warm = now;
    }
    figures.most_resident_mib = std::max(figures.most_resident_mib, now.resident_mib);
    if (!warm) figures.most_resident_mib = 0;
    if (now.seconds < next_sample) continue;
    next_sample += kBetweenSamples;
    if (observer) observer(now);
  } while (now.seconds < settings.seconds);
  const EngineStats after = engine_stats();
  figures.traces = after.traces - before.traces;
  figures.compiles = after.compiles - before.compiles;
  return figures;
}

}  // namespace swage::bench
