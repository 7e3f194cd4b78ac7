// A car too weak to climb out of a valley at once: pushed left (0), not at all (1) or right (2), it has to swing up (Moore, "Efficient
// memory-based learning for robot control", 1990), with the constants of Gymnasium's MountainCar-v0. A step costs 1; the episode terminates at
// position 0.5 or beyond, unless the car rolls back, and lasts 200 steps at most.
//
// State and observation: position, velocity. It begins still, between −0.6 and −0.4.
#pragma once

#include <swage/env/environment.hpp>

namespace swage::env {

class MountainCar final : public Environment {
 public:
  MountainCar();

 protected:
  void begin(std::vector<double>& state, Random& random) override;
  Outcome advance(std::vector<double>& state, std::span<const double> action, Random& random) override;
  void observe(std::span<const double> state, std::span<double> observation) const override;
};

}  // namespace swage::env
