// The networks of `agent` and `drive`.
#pragma once

#include <cmath>

#include <swage/nn/init.hpp>
#include <swage/swage.hpp>

namespace swage::bench {

// Linear layers to 64, 64 and the outputs, tanh between them: (N,inputs) → (N,outputs). Weights are orthogonal, √2 long, of the last layer
// `last_gain`; biases begin at zero.
inline nn::Sequential tanh_network(std::int64_t inputs, std::int64_t outputs, double last_gain) {
  const auto layer = [](std::int64_t from, std::int64_t to, double gain) {
    nn::Linear made(from, to);
    nn::init::orthogonal_(made.weight, gain);
    no_grad([&] { made.bias.zero_(); });
    return made;
  };
  const double gain = std::sqrt(2.0);
  // Braces: the layers draw their initial values in this order.
  return nn::Sequential{layer(inputs, 64, gain), nn::Tanh(), layer(64, 64, gain), nn::Tanh(), layer(64, outputs, last_gain)};
}

}  // namespace swage::bench
