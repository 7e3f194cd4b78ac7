// Training as it goes: a line every fifty steps.
#pragma once

#include <chrono>
#include <cstdint>

#include <bench/harness/runner.hpp>
#include <bench/workloads/digits.hpp>

namespace swage::tool {

class TrainingView {
 public:
  void show(const bench::StepInfo& info);

 private:
  static constexpr std::int64_t kEvery = 50;
  using Clock = std::chrono::steady_clock;

  EngineStats before_;
  double microseconds_ = 0, loss_ = 0;
  std::int64_t right_ = 0, seen_ = 0;
  bool begun_ = false;
};

}  // namespace swage::tool
