#include <tools/demo/training_view.hpp>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

namespace swage::tool {
namespace {

// How many rows of the logits have their greatest element at the label. Done on the host, so that no op is recorded for the view.
std::int64_t count_right(const Tensor& logits, const Tensor& labels) {
  const auto scores = logits.to_vector<float>();
  const auto classes = labels.to_vector<std::int64_t>();
  const auto width = static_cast<std::ptrdiff_t>(logits.size(1));
  std::int64_t right = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const auto row = scores.begin() + static_cast<std::ptrdiff_t>(i) * width;
    if (std::max_element(row, row + width) - row == classes[i]) ++right;
  }
  return right;
}

}  // namespace

void TrainingView::show(const bench::StepInfo& info) {
  if (!begun_) fmt::print("{:>6} {:>9} {:>10} {:>9} {:>10}\n", "step", "loss", "accuracy", "steps/s", "compiled");
  begun_ = true;
  const auto& workload = dynamic_cast<bench::Digits&>(info.workload);
  microseconds_ += info.microseconds;
  loss_ += info.outputs.loss.item();
  right_ += count_right(info.outputs.outputs.front(), workload.batch_labels());
  seen_ += workload.batch_labels().size(0);
  if (info.step % kEvery != 0 && info.step != info.steps) return;
  const auto n = static_cast<double>(seen_) / static_cast<double>(workload.units_per_step());
  const auto ops = static_cast<double>(std::max<std::uint64_t>(info.stats.ops - before_.ops, 1));
  fmt::print("{:>6} {:>9.4f} {:>8.1f} % {:>9.1f} {:>8.1f} %\n", info.step, loss_ / n,
             100 * static_cast<double>(right_) / static_cast<double>(seen_), n / microseconds_ * 1e6,
             100 * static_cast<double>(info.stats.compiled_ops - before_.compiled_ops) / ops);
  std::fflush(stdout);
  before_ = info.stats;
  microseconds_ = loss_ = 0;
  right_ = seen_ = 0;
}

}  // namespace swage::tool
