#include <swage/optim/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace swage::optim {

double cosine_lr(std::int64_t step, std::int64_t total, double peak, double floor) {
  const double progress =
      total > 0 ? static_cast<double>(std::clamp<std::int64_t>(step, 0, total)) / static_cast<double>(total) : 1;
  return floor + (peak - floor) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace swage::optim
