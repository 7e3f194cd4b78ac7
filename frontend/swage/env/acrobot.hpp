// Two links on a hinge, of which the joint between them can be turned: torque −1, 0 or 1 Nm by action 0, 1 or 2. The tip is to be swung a
// link's length above the hinge (Sutton, "Generalization in reinforcement learning: successful examples using sparse coarse coding", NIPS
// 1995; the equations of Sutton and Barto's book), with the constants and the Runge–Kutta steps of Gymnasium's Acrobot-v1. A step costs 1,
// the last one nothing; 500 steps at most.
//
// State: angle of the first link (rad, 0 hangs down), angle of the second to the first, their velocities (rad/s). Observed are cosine and sine
// of the first angle, of the second, and the velocities. It begins within ±0.1 of hanging still.
#pragma once

#include <swage/env/environment.hpp>

namespace swage::env {

class Acrobot final : public Environment {
 public:
  Acrobot();

 protected:
  void begin(std::vector<double>& state, Random& random) override;
  Outcome advance(std::vector<double>& state, std::span<const double> action, Random& random) override;
  void observe(std::span<const double> state, std::span<double> observation) const override;
};

}  // namespace swage::env
