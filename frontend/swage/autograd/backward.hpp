// Reverse-mode differentiation: walks the tape from results to leaves.
#pragma once

#include <vector>

#include <swage/tensor.hpp>

namespace swage {

// The gradients of Σ outputs·grad_outputs with respect to `inputs` (leaves or computed), without touching any `grad()`. An undefined
// grad_output (or an empty list) stands for ones and needs an output of one element. With `create_graph` the result can be
// differentiated again; the tape is kept where `retain_graph` or `create_graph` says so. Inputs that the outputs do not depend
// on get zeros. Raises AutogradError where no output requires a gradient.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs = {}, bool retain_graph = false, bool create_graph = false);

// As Tensor::backward from several outputs at once, and with the choice to record the pass itself.
void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& grad_outputs = {}, bool retain_graph = false,
              bool create_graph = false);

}  // namespace swage
