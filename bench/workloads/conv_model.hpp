// The convolutional network of `convnet` and `digits`.
#pragma once

#include <swage/swage.hpp>

namespace swage::bench {

// 3 × (convolution 3×3 without bias – batch norm – ReLU) with 32, 64, 128 channels and strides 1, 2, 2, the mean over each image, a
// linear layer to ten classes: (N,C,H,W) → (N,10).
inline nn::Sequential conv_model(std::int64_t channels) {
  const nn::Conv2dOptions whole{.stride = 1, .padding = 1, .bias = false}, halved{.stride = 2, .padding = 1, .bias = false};
  // Braces: the layers draw their initial values in this order.
  return nn::Sequential{nn::Conv2d(channels, 32, 3, whole),
                        nn::BatchNorm2d(32),
                        nn::ReLU(),
                        nn::Conv2d(32, 64, 3, halved),
                        nn::BatchNorm2d(64),
                        nn::ReLU(),
                        nn::Conv2d(64, 128, 3, halved),
                        nn::BatchNorm2d(128),
                        nn::ReLU(),
                        nn::GlobalAveragePool(),
                        nn::Linear(128, 10)};
}

}  // namespace swage::bench
