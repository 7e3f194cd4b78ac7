#include <bench/harness/break_even.hpp>

#include <algorithm>

namespace swage::bench {

namespace {

constexpr std::size_t kMostEagerSteps = 1000;  // the median of more says no more

double median(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

void BreakEven::observe(double microseconds, bool compiled, double compile_ms_total) {
  ++steps_;
  if (!compiled) {
    if (eager_.size() < kMostEagerSteps) eager_.push_back(microseconds);
    return;
  }
  if (eager_median_ == 0) eager_median_ = median(eager_);
  saved_ms_ += (eager_median_ - microseconds) / 1000;
  if (saved_ms_ < compile_ms_total)
    step_.reset();
  else if (!step_)
    step_ = steps_;
}

}  // namespace swage::bench
