// A cart that balances a pole by being pushed left (0) or right (1) (Barto, Sutton and Anderson, "Neuronlike adaptive elements that can solve
// difficult learning control problems", 1983), with the constants and the Euler steps of Gymnasium's CartPole-v1. A step is worth 1. The
// episode terminates when the cart is more than 2.4 m from the middle or the pole more than 12° from upright, and lasts 500 steps at most.
//
// State and observation: position (m), velocity (m/s), angle (rad, 0 upright), angular velocity (rad/s). It begins within ±0.05 of zero.
#pragma once

#include <swage/env/environment.hpp>

namespace swage::env {

class CartPole final : public Environment {
 public:
  CartPole();

 protected:
  void begin(std::vector<double>& state, Random& random) override;
  Outcome advance(std::vector<double>& state, std::span<const double> action, Random& random) override;
  void observe(std::span<const double> state, std::span<double> observation) const override;
};

}  // namespace swage::env
