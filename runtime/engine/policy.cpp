#include <runtime/engine/policy.hpp>

#include <algorithm>

namespace swage {

namespace {

constexpr double kOverheadPerOp = 80;
constexpr double kCallPerOp = 200;  // measured on groups of batch scopes: rules, tape and recording

double overhead_ns(const TraceHistory& history) { return (kOverheadPerOp + (history.whole ? kCallPerOp : 0)) * history.ops; }

}  // namespace

void Ledger::spent(double ns) {
  spent_ns += ns;
  last_cost_ns = ns;
  ++compilations;
}

double predicted_compile_ns(std::uint32_t ops) { return 2e6 + 2e5 * ops; }

double structures_share(double ns, std::uint32_t ops, bool first) {
  return first ? std::min(ns, predicted_compile_ns(ops)) : ns;
}

double predicted_saving_ns(const TraceHistory& history) {
  constexpr double kOfKernels = 0.3;
  return history.eager_ns == 0 ? 0 : kOfKernels * history.eager_ns + overhead_ns(history);
}

double measured_saving_ns(const TraceHistory& history, const PlanTimes& plan) {
  return std::max(0.0, history.eager_best_ns + overhead_ns(history) - plan.best_ns);
}

Decision decide(const TraceHistory& history, const EngineOptions& options, const Ledger& structure, const Ledger& stream,
                double elapsed_ns) {
  constexpr double kFreeDebt = 5e8, kShareOfTime = 0.05;
  if (options.tier != Tier::compiled || !history.compilable || history.ops == 0) return Decision::none;
  if (history.requested && !history.escapes_grew) return Decision::none;
  // A failure, or a plan whose mask was too small, waits twice as long each time.
  const std::uint64_t wait = std::uint64_t{options.runs_before_compiling} << std::min<std::uint32_t>(history.failures, 16);
  if (history.runs < history.runs_at_last_request + wait) return Decision::none;
  if (!options.weigh_cost) return Decision::compile;
  const double saved = static_cast<double>(history.runs) * predicted_saving_ns(history);
  const double cost = structure.compilations > 0 ? structure.last_cost_ns : predicted_compile_ns(history.ops);
  if (saved < cost) return Decision::none;
  const bool affordable = stream.debt_ns() + cost <= kFreeDebt + kShareOfTime * elapsed_ns;
  return affordable && saved >= cost + structure.debt_ns() ? Decision::compile : Decision::held_back;
}

bool affords_pause(double expected_ns, double paused_ns, double elapsed_ns) {
  constexpr double kLongest = 3e6, kShareOfTime = 0.01;
  return expected_ns <= kLongest && paused_ns + expected_ns <= kLongest + kShareOfTime * elapsed_ns;
}

bool may_pause(double expected_ns, double saving_ns, double paused_ns, double elapsed_ns) {
  constexpr double kAlways = 2e5;
  return expected_ns <= kAlways + saving_ns || affords_pause(expected_ns, paused_ns, elapsed_ns);
}

bool does_not_pay(const TraceHistory& history, const PlanTimes& plan) {
  constexpr double kSlower = 1.1, kFloor = 2000;  // below the floor, clocks measure themselves
  return plan.runs == kTimedRuns && history.timed_runs >= 2 &&
         plan.best_ns > kSlower * history.eager_best_ns + kFloor + (history.whole ? overhead_ns(history) : 0);
}

bool shelve(TraceHistory& history) {
  constexpr std::uint32_t kChances = 4;
  if (++history.shelvings > kChances) return false;
  history.resume_at = history.runs + (std::uint64_t{8} << 3 * history.shelvings);
  history.timed_runs = 0;
  return true;
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
