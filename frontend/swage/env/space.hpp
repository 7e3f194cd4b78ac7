// What an environment shows, and what it may be told: one of so many choices, or some numbers within bounds.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace swage::env {

class Space {
 public:
  static Space choices(std::int64_t count);                             // one number: 0, 1, … count − 1
  static Space box(std::vector<double> low, std::vector<double> high);  // bounds included; they may be infinite
  static Space box(std::int64_t width, double low, double high);        // the same bounds for all

  bool discrete() const { return choices_ > 0; }
  std::int64_t choices() const { return choices_; }  // 0 for a box
  std::int64_t width() const { return static_cast<std::int64_t>(low_.size()); }
  const std::vector<double>& low() const { return low_; }
  const std::vector<double>& high() const { return high_; }

  bool contains(std::span<const double> point) const;  // NaN is nowhere
  std::string text() const;                            // "one of 0 … 1", "4 numbers within [-1, 1]"

 private:
  Space(std::int64_t choices, std::vector<double> low, std::vector<double> high);

  std::int64_t choices_;
  std::vector<double> low_, high_;
};

}  // namespace swage::env
