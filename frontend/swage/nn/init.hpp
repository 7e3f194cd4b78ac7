// Initial values of parameters, written in place from this thread's generator.
#pragma once

#include <swage/tensor.hpp>

namespace swage::nn::init {

// Inputs that one output of a weight reads: extents behind the first, multiplied.
std::int64_t fan_in(const Tensor& weight);

// Uniform within ±gain·√(3/fan_in), gain = √(2/(1 + a²)) for a leaky ReLU of slope a (He et al., "Delving deep into rectifiers", ICCV
// 2015). Layers use a = √5, which is ±1/√fan_in.
void kaiming_uniform_(const Tensor& weight, double a);
// Uniform within ±bound.
void uniform_(const Tensor& tensor, double bound);
// A weight that hands on what comes in: the unit matrix (n,n), or for a convolution (n,n,h,w) one in the middle of each channel's own kernel,
// with h and w odd. ShapeError for any other.
void identity_(const Tensor& weight);
// Rows (n,k), or columns where there are more rows than columns, that are orthogonal and `gain` long (Saxe, McClelland and Ganguli, "Exact
// solutions to the nonlinear dynamics of learning in deep linear neural networks", ICLR 2014). f32 with two dimensions, else ValueError.
void orthogonal_(const Tensor& weight, double gain = 1);

}  // namespace swage::nn::init
