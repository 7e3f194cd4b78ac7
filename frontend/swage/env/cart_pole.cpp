#include <swage/env/cart_pole.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace swage::env {
namespace {

constexpr double kGravity = 9.8, kCart = 1.0, kPole = 0.1;  // m/s², kg, kg
constexpr double kHalfLength = 0.5, kForce = 10.0, kSeconds = 0.02;
constexpr double kFarthest = 2.4, kSteepest = 12 * 2 * std::numbers::pi / 360;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

}  // namespace

CartPole::CartPole()
    : Environment(Space::box({-2 * kFarthest, -kInfinite, -2 * kSteepest, -kInfinite},
                             {2 * kFarthest, kInfinite, 2 * kSteepest, kInfinite}),
                  Space::choices(2), 4, 500) {}

void CartPole::begin(std::vector<double>& state, Random& random) {
  for (double& number : state) number = uniform(random, -0.05, 0.05);
}

Environment::Outcome CartPole::advance(std::vector<double>& state, std::span<const double> action, Random&) {
  const double x = state[0], speed = state[1], angle = state[2], turning = state[3];
  constexpr double kMass = kCart + kPole, kMoment = kPole * kHalfLength;
  const double force = action[0] == 1 ? kForce : -kForce;
  const double sine = std::sin(angle), cosine = std::cos(angle);
  const double push = (force + kMoment * turning * turning * sine) / kMass;
  const double turn = (kGravity * sine - cosine * push) / (kHalfLength * (4.0 / 3.0 - kPole * cosine * cosine / kMass));
  const double pull = push - kMoment * turn * cosine / kMass;
  state = {x + kSeconds * speed, speed + kSeconds * pull, angle + kSeconds * turning, turning + kSeconds * turn};
  return {1, std::abs(state[0]) > kFarthest || std::abs(state[2]) > kSteepest};
}

void CartPole::observe(std::span<const double> state, std::span<double> observation) const {
  std::copy(state.begin(), state.end(), observation.begin());
}

}  // namespace swage::env
