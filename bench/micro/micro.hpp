// The engine's own costs, free of any workload: one op, one plan, one compilation at a time, beside the limits of the machine.
// Medians of many repetitions. Where an op computes, it is an op on 16 floats.
#pragma once

#include <cstddef>
#include <map>
#include <optional>

#include <nlohmann/json_fwd.hpp>

#include <bench/micro/limits.hpp>

namespace swage::bench {

// A figure is none where what it measures did not come about: no plan ran, nothing could be loaded.
using Figure = std::optional<double>;

struct MicroFigures {
  // 100 × `a = a + b` on a known path with a plan: recorded, deferred, settled, handles dropped; a 100th of it, less the arithmetic
  // (limits.add_ns).
  Figure defer_ns;
  // The same where b requires a gradient and a `backward` follows; per op run, forward and backward, less as much arithmetic.
  Figure defer_grad_ns;
  double eager_op_ns = 0;  // one addition run at once, everything included
  // By number of ops: from the end of recording until the results of a known window are there, less the arithmetic.
  std::map<int, Figure> plan_hit_us;
  Figure
      exit_us;  // leaving a path of 100 ops after 50 by an op never seen: the window's time less that of the same window in tier eager
  std::map<int, Figure> compile_ms;  // by number of ops; 300: the first 300 records of a step of `transformer`
  Figure load_ms;                    // a plan of 100 ops from the cache on disk
  // While compilations run without end, less the same without them: the gap between steps that one in a thousand exceeds.
  Figure pause_us;
  std::size_t record_bytes = 0;  // key half and value half
  Limits limits;
};

struct MicroSettings {
  bool quick = false;  // fewer repetitions, short pauses: a few seconds, for tests
};

// Takes a minute at most; the engine's options are as before when it returns.
MicroFigures measure_micro(const MicroSettings& settings = {});

nlohmann::ordered_json to_json(const MicroFigures& figures);

}  // namespace swage::bench
