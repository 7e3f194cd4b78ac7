#include <swage/env/space.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include <runtime/core/error.hpp>

namespace swage::env {

Space::Space(std::int64_t choices, std::vector<double> low, std::vector<double> high)
    : choices_(choices), low_(std::move(low)), high_(std::move(high)) {}

Space Space::choices(std::int64_t count) {
  if (count < 1) raise<ValueError>(caller(), "[Space] there must be at least one choice, not {}", count);
  return {count, {0.0}, {static_cast<double>(count - 1)}};
}

Space Space::box(std::vector<double> low, std::vector<double> high) {
  if (low.size() != high.size() || low.empty())
    raise<ValueError>(caller(), "[Space] {} lower and {} upper bounds; as many of each are needed, one at least", low.size(),
                      high.size());
  for (std::size_t i = 0; i < low.size(); ++i)
    if (!(low[i] <= high[i])) raise<ValueError>(caller(), "[Space] bounds {} are {} and {}", i, low[i], high[i]);
  return {0, std::move(low), std::move(high)};
}

Space Space::box(std::int64_t width, double low, double high) {
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(width, 0));
  return box(std::vector<double>(count, low), std::vector<double>(count, high));
}

bool Space::contains(std::span<const double> point) const {
  if (point.size() != low_.size()) return false;
  for (std::size_t i = 0; i < point.size(); ++i)
    if (!(low_[i] <= point[i] && point[i] <= high_[i]) || (discrete() && point[i] != std::floor(point[i]))) return false;
  return true;
}

std::string Space::text() const {
  if (discrete()) return fmt::format("one of 0 … {}", choices_ - 1);
  const auto alike = [](const std::vector<double>& all) {
    return std::all_of(all.begin(), all.end(), [&](double bound) { return bound == all[0]; });
  };
  const std::string numbers = width() == 1 ? "1 number" : fmt::format("{} numbers", width());
  return alike(low_) && alike(high_) ? fmt::format("{} within [{}, {}]", numbers, low_[0], high_[0])
                                     : numbers + ", each within bounds of its own";
}

}  // namespace swage::env
