// When is a run in steady state? Plans carry it, and nothing new has been seen or compiled for a while.
#pragma once

#include <chrono>
#include <cstdint>

#include <runtime/engine/engine.hpp>

namespace swage::bench {

class WarmUp {
 public:
  using Clock = std::chrono::steady_clock;

  explicit WarmUp(double longest_seconds) : longest_(longest_seconds) {}

  // After each step, with the compile thread at rest: whether to stop.
  bool done(const EngineStats& stats, Clock::time_point now = Clock::now());

 private:
  // Steps and seconds without anything new before the state counts as steady.
  static constexpr std::int64_t kQuietSteps = 50;
  static constexpr double kQuietSeconds = 0.15;
  // Of the ops in the quiet stretch, those that plans must carry. Where they carry less, the policy is given more time: cheap steps
  // come in thousands before compiling them pays.
  static constexpr double kWantedShare = 0.9;
  static constexpr std::int64_t kMostSteps = 500'000;

  double longest_;
  std::int64_t steps_ = 0;
  std::int64_t quiet_steps_ = 0;
  Clock::time_point start_{}, quiet_since_{};
  EngineStats last_{}, quiet_{};
};

}  // namespace swage::bench
