#include <bench/harness/warm_up.hpp>

namespace swage::bench {
namespace {

double seconds(WarmUp::Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

bool WarmUp::done(const EngineStats& stats, Clock::time_point now) {
  if (steps_++ == 0) start_ = now;
  const bool quiet =
      steps_ > 1 && stats.traces == last_.traces && stats.compiles == last_.compiles && stats.assembled == last_.assembled;
  last_ = stats;
  if (!quiet) {
    quiet_steps_ = 0;
  } else if (quiet_steps_++ == 0) {
    quiet_ = stats;
    quiet_since_ = now;
  }
  if (seconds(now - start_) >= longest_ || steps_ >= kMostSteps) return true;
  if (quiet_steps_ < kQuietSteps || seconds(now - quiet_since_) < kQuietSeconds) return false;
  const auto ops = static_cast<double>(stats.ops - quiet_.ops);
  if (static_cast<double>(stats.compiled_ops - quiet_.compiled_ops) >= kWantedShare * ops) return true;
  quiet_steps_ = 0;  // another stretch
  return false;
}

}  // namespace swage::bench
