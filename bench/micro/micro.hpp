// The engine's own costs, free of any workload: one op at a time, one plan at a time, one compilation at a time. Medians.
#pragma once

#include <optional>

namespace swage::bench {

struct MicroFigures {
  double eager_op_ns = 0;     // one addition of 16 elements, run at once, everything included
  double deferred_op_ns = 0;  // the same on a known path: recorded, not run
  // A plan of dependent pointwise ops on 16 elements: bound, run and its result handed over; the ops' recording left out.
  std::optional<double> hit_10_us, hit_100_us;  // none where no plan came to run
  std::optional<double> compile_10_ms, compile_100_ms;
};

// Takes a few seconds; the engine's options are as before when it returns.
MicroFigures measure_micro();

}  // namespace swage::bench
