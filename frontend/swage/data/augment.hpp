#pragma once

#include <swage/data/random.hpp>
#include <swage/tensor.hpp>

namespace swage::data {

// Each image of (N,C,H,W) moved by −reach … reach pixels in both directions, drawn from `random`, with zeros where nothing was. A
// fresh tensor, made on the host.
Tensor shifted(const Tensor& images, int reach, HostRandom& random);

}  // namespace swage::data
