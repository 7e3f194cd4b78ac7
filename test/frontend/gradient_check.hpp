// Gradients against central differences, in f64.
#pragma once

#include <functional>
#include <vector>

#include <swage/swage.hpp>

namespace swage::testing {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

// Checks the gradient of Σ f(inputs)·w, w fixed and uneven, with respect to every element of every input; and, for order 2, the
// gradient of that gradient's weighted sum. Inputs are f64.
void check_gradients(const Function& f, const std::vector<Tensor>& inputs, int order = 2);

// Fixed uneven numbers of a shape, from −1 to 1.
Tensor uneven(const Dims& sizes, double phase = 0);

}  // namespace swage::testing
