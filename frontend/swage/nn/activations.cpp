#include <swage/nn/activations.hpp>

#include <swage/functional.hpp>
#include <swage/pointwise.hpp>
#include <swage/reduce.hpp>

namespace swage::nn {

Tensor ReLU::forward(const Tensor& x) { return relu(x); }
Tensor Tanh::forward(const Tensor& x) { return tanh(x); }
Tensor Sigmoid::forward(const Tensor& x) { return sigmoid(x); }
Tensor GELU::forward(const Tensor& x) { return gelu(x); }
Tensor Flatten::forward(const Tensor& x) { return x.flatten(1); }
Tensor GlobalAveragePool::forward(const Tensor& x) { return mean(x, Dims{2, 3}); }

}  // namespace swage::nn
