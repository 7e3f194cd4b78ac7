// When has compiling paid for itself? Steps before the first compiled one tell what a step costs without; later ones save the
// difference, until the savings equal what all compilations took.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace swage::bench {

class BreakEven {
 public:
  // After each step of the process: its time, whether a plan carried any of it so far, and what compiling has cost by now.
  void observe(double microseconds, bool compiled, double compile_ms_total);

  // The step, counted from 1, from which on the savings covered the costs; none if they do not now.
  std::optional<std::int64_t> step() const { return step_; }

 private:
  std::int64_t steps_ = 0;
  std::vector<double> eager_;  // times of steps before the first compiled one
  double eager_median_ = 0, saved_ms_ = 0;
  std::optional<std::int64_t> step_;
};

}  // namespace swage::bench
