#include <runtime/engine/policy.hpp>

#include <algorithm>

namespace swage {

double predicted_compile_ns(std::uint32_t ops) { return 2e6 + 2e5 * ops; }

double predicted_saving_ns(const TraceHistory& history) {
  constexpr double kOfKernels = 0.3, kOverheadPerOp = 80;
  return history.eager_ns == 0 ? 0 : kOfKernels * history.eager_ns + kOverheadPerOp * history.ops;
}

Decision decide(const TraceHistory& history, const EngineOptions& options) {
  if (options.tier != Tier::compiled || !history.compilable || history.ops == 0) return Decision::none;
  if (history.requested && !history.escapes_grew) return Decision::none;
  // A failure, or a plan whose mask was too small, waits twice as long each time.
  const std::uint64_t wait = std::uint64_t{options.runs_before_compiling} << std::min<std::uint32_t>(history.failures, 16);
  if (history.runs < history.runs_at_last_request + wait) return Decision::none;
  if (options.weigh_cost &&
      static_cast<double>(history.runs) * predicted_saving_ns(history) < predicted_compile_ns(history.ops))
    return Decision::none;
  return Decision::compile;
}

bool Backoff::skip() {
  if (left_ == 0) return false;
  --left_;
  return true;
}

void Backoff::failed() {
  constexpr std::uint32_t kFree = 16, kMostDoublings = 6;
  if (++misses_ < kFree) return;
  state_ ^= state_ << 13;
  state_ ^= state_ >> 17;
  state_ ^= state_ << 5;
  const std::uint32_t bound = 1u << std::min((misses_ - kFree) / 4 + 1, kMostDoublings);
  left_ = bound / 2 + state_ % bound;
}

}  // namespace swage
