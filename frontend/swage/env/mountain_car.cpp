#include <swage/env/mountain_car.hpp>

#include <algorithm>
#include <cmath>

namespace swage::env {
namespace {

constexpr double kLeft = -1.2, kRight = 0.6, kFastest = 0.07, kGoal = 0.5;
constexpr double kForce = 0.001, kGravity = 0.0025;

}  // namespace

MountainCar::MountainCar() : Environment(Space::box({kLeft, -kFastest}, {kRight, kFastest}), Space::choices(3), 2, 200) {}

void MountainCar::begin(std::vector<double>& state, Random& random) { state = {uniform(random, -0.6, -0.4), 0}; }

Environment::Outcome MountainCar::advance(std::vector<double>& state, std::span<const double> action, Random&) {
  double velocity = state[1] + ((action[0] - 1) * kForce + std::cos(3 * state[0]) * -kGravity);
  velocity = std::clamp(velocity, -kFastest, kFastest);
  const double position = std::clamp(state[0] + velocity, kLeft, kRight);
  if (position == kLeft && velocity < 0) velocity = 0;  // the wall on the left stops it
  state = {position, velocity};
  return {-1, position >= kGoal && velocity >= 0};
}

void MountainCar::observe(std::span<const double> state, std::span<double> observation) const {
  std::copy(state.begin(), state.end(), observation.begin());
}

}  // namespace swage::env
