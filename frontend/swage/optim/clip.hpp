#pragma once

#include <vector>

#include <swage/tensor.hpp>

namespace swage::optim {

// Scales the gradients of the parameters in place so that their norm, taken over all elements of all of them, is at most
// `greatest`: by min(1, greatest/(norm + 1e-6)). Gives the norm before, of shape (), without reading it on the host. Parameters
// without a gradient are left out; ValueError where none has one, or for a negative `greatest`.
Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double greatest);

}  // namespace swage::optim
