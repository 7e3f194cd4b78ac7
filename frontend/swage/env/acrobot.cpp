#include <swage/env/acrobot.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace swage::env {
namespace {

using State = std::array<double, 4>;
constexpr double kPi = std::numbers::pi, kSeconds = 0.2;
constexpr double kFastestFirst = 4 * kPi, kFastestSecond = 9 * kPi;
// Both links: 1 m, 1 kg, moment of inertia 1 kg m²; the centre of mass in the middle.
constexpr double kMass = 1, kLength = 1, kMiddle = 0.5, kInertia = 1, kGravity = 9.8;

State derivative(const State& s, double torque) {
  const double cosine = std::cos(s[1]), sine = std::sin(s[1]);
  constexpr double kCoupling = kMass * kLength * kMiddle;
  const double d1 = kMass * kMiddle * kMiddle +
                    kMass * (kLength * kLength + kMiddle * kMiddle + 2 * kLength * kMiddle * cosine) + 2 * kInertia;
  const double d2 = kMass * (kMiddle * kMiddle + kLength * kMiddle * cosine) + kInertia;
  const double phi2 = kMass * kMiddle * kGravity * std::cos(s[0] + s[1] - kPi / 2);
  const double phi1 = -kCoupling * s[3] * s[3] * sine - 2 * kCoupling * s[3] * s[2] * sine +
                      (kMass * kMiddle + kMass * kLength) * kGravity * std::cos(s[0] - kPi / 2) + phi2;
  const double second =
      (torque + d2 / d1 * phi1 - kCoupling * s[2] * s[2] * sine - phi2) / (kMass * kMiddle * kMiddle + kInertia - d2 * d2 / d1);
  return {s[2], s[3], -(d2 * second + phi1) / d1, second};
}

State moved(const State& s, double by, const State& direction) {
  State to;
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = s[i] + by * direction[i];
  return to;
}

double wrapped(double angle) {
  while (angle > kPi) angle -= 2 * kPi;
  while (angle < -kPi) angle += 2 * kPi;
  return angle;
}

}  // namespace

Acrobot::Acrobot()
    : Environment(Space::box({-1, -1, -1, -1, -kFastestFirst, -kFastestSecond}, {1, 1, 1, 1, kFastestFirst, kFastestSecond}),
                  Space::choices(3), 4, 500) {}

void Acrobot::begin(std::vector<double>& state, Random& random) {
  for (double& number : state) number = uniform(random, -0.1, 0.1);
}

Environment::Outcome Acrobot::advance(std::vector<double>& state, std::span<const double> action, Random&) {
  const double torque = action[0] - 1;
  const State s = {state[0], state[1], state[2], state[3]};
  const State k1 = derivative(s, torque), k2 = derivative(moved(s, kSeconds / 2, k1), torque),
              k3 = derivative(moved(s, kSeconds / 2, k2), torque), k4 = derivative(moved(s, kSeconds, k3), torque);
  for (std::size_t i = 0; i < s.size(); ++i) state[i] = s[i] + kSeconds / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  state[0] = wrapped(state[0]);
  state[1] = wrapped(state[1]);
  state[2] = std::clamp(state[2], -kFastestFirst, kFastestFirst);
  state[3] = std::clamp(state[3], -kFastestSecond, kFastestSecond);
  const bool up = -std::cos(state[0]) - std::cos(state[1] + state[0]) > 1;
  return {up ? 0.0 : -1.0, up};
}

void Acrobot::observe(std::span<const double> state, std::span<double> observation) const {
  observation[0] = std::cos(state[0]);
  observation[1] = std::sin(state[0]);
  observation[2] = std::cos(state[1]);
  observation[3] = std::sin(state[1]);
  observation[4] = state[2];
  observation[5] = state[3];
}

}  // namespace swage::env
