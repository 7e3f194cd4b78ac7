// A car on a closed track (track.hpp) that it sees by rays. A step lasts a tenth of a second. The action is steering (−1 right … 1 left) and
// throttle (−1 brakes … 1 accelerates); the car cannot stop, and the faster it is, the less it can turn: tyres hold 8 m/s² sideways.
//
// Observed are nine distances to the border, in the directions kRays from the car's heading, as parts of 40 m, and the speed as a part of 15
// m/s. A step is worth the way made along the track, as a part of the 1.5 m that are possible; leaving the track costs 10 and terminates the
// episode, which lasts 1,000 steps at most.
//
// State: the number of the track, x, y (m), heading (rad), speed (m/s). It begins anywhere on a track of its own, within 1 m of the middle.
#pragma once

#include <array>
#include <numbers>
#include <optional>

#include <swage/env/environment.hpp>
#include <swage/env/track.hpp>

namespace swage::env {

class Driving final : public Environment {
 public:
  static constexpr std::array<double, 9> kRays = [] {  // degrees, then radians
    std::array<double, 9> rays = {-90, -60, -35, -15, 0, 15, 35, 60, 90};
    for (double& ray : rays) ray *= std::numbers::pi / 180;
    return rays;
  }();
  static constexpr double kRange = 40, kFastest = 15, kSlowest = 3, kSeconds = 0.1;

  Driving();
  const Track& track() const { return *track_; }  // after a reset

 protected:
  void begin(std::vector<double>& state, Random& random) override;
  Outcome advance(std::vector<double>& state, std::span<const double> action, Random& random) override;
  void observe(std::span<const double> state, std::span<double> observation) const override;
  bool possible(std::span<const double> state) const override;
  void entered(std::span<const double> state) override;

 private:
  std::optional<Track> track_;
  double number_ = -1;  // of the track
  double along_ = 0;    // where on the track the car is
};

}  // namespace swage::env
