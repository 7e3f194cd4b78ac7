#include <bench/workloads/prequential.hpp>

#include <algorithm>

namespace swage::bench {

void Prequential::add(bool wrong) {
  const std::int64_t place = sample_ % drift_;
  if (place == 0 || stretches_.empty()) stretches_.emplace_back();
  Stretch& stretch = stretches_.back();
  stretch.first += wrong && place < quarter_;
  stretch.last += wrong && place >= drift_ - quarter_;
  const auto at = static_cast<std::size_t>(sample_ % kRecent);
  recent_errors_ += static_cast<int>(wrong) - static_cast<int>(recent_[at]);
  recent_[at] = wrong;
  ++sample_;
  ++stretch.samples;
  if (stretches_.size() < 2 || stretch.back_after > 0 || stretch.samples < kRecent) return;
  const double before = rate(stretches_[stretches_.size() - 2].last);
  if (static_cast<double>(recent_errors_) / kRecent <= kBack * before) stretch.back_after = stretch.samples;
}

void Prequential::add_figures(const std::string& name, std::map<std::string, double>& figures) const {
  double drifts = 0, before = 0, after = 0, later = 0, greatest = 0, slowest = 0;
  for (std::size_t i = 1; i < stretches_.size(); ++i) {
    const Stretch &old = stretches_[i - 1], &fresh = stretches_[i];
    if (old.samples != drift_ || fresh.samples != drift_) continue;
    ++drifts;
    before += rate(old.last);
    after += rate(fresh.first);
    later += rate(fresh.last);
    greatest = std::max(greatest, rate(fresh.last) / rate(old.last));
    slowest = std::max(slowest, static_cast<double>(fresh.back_after > 0 ? fresh.back_after : drift_));
  }
  if (drifts == 0) return;
  figures[name + "_error_before"] = before / drifts;
  figures[name + "_error_after"] = after / drifts;
  figures[name + "_error_later"] = later / drifts;
  figures[name + "_worst_ratio"] = greatest;
  figures[name + "_back_after"] = slowest;
}

}  // namespace swage::bench
