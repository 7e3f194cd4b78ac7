// A long run: the transformer and the digits train in turn, each step on a batch of a random size. After a while nothing may grow and
// nothing known may miss.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace swage::bench {

struct SoakSettings {
  double seconds = 1200;
  double warm_up_seconds = 120;
  std::uint64_t seed = 1;
  std::string size = "full";  // of the transformer
};

// How things stand, counted from the start.
struct SoakSample {
  double seconds = 0;
  std::int64_t steps = 0;
  double resident_mib = 0;
  std::uint64_t misses = 0;  // windows that matched no known trace to the end
  std::size_t sizes = 0;     // distinct pairs of a workload and a batch size
};

struct SoakFigures {
  SoakSample warm, last;         // when the warm-up ended, and at the end
  double most_resident_mib = 0;  // after the warm-up
  // Misses after the warm-up in steps on a size that had been met kMeetings times; what has been met less often may still be new.
  std::uint64_t misses_after_warm_up = 0;
  std::uint64_t traces = 0, compiles = 0;
};
inline constexpr int kMeetings = 4;

using SoakObserver = std::function<void(const SoakSample&)>;  // every ten seconds

SoakFigures run_soak(const SoakSettings& settings, const SoakObserver& observer = {});

}  // namespace swage::bench
