// Reductions. Without dimensions, over all of them, to a 0-dimensional tensor; with `keepdim` a reduced dimension stays with extent 1.
// Sums follow one fixed tree (runtime/ops/reduction_tree.hpp): the same bits for any layout, vector width and number of threads.
#pragma once

#include <vector>

#include <swage/tensor.hpp>

namespace swage {

// bool is summed as i64.
Tensor sum(const Tensor& a);
Tensor sum(const Tensor& a, int d, bool keepdim = false);
Tensor sum(const Tensor& a, const Dims& dims, bool keepdim = false);
// a₀ + a₁ + … for tensors of one shape and type, in the order of that tree: sum(stack(tensors), 0). In a batch scope the way to add up
// losses, for a chain of additions would run one by one.
Tensor sum_of(const std::vector<Tensor>& tensors);
// Floating types only: the mean of integers is a DTypeError.
Tensor mean(const Tensor& a);
Tensor mean(const Tensor& a, int d, bool keepdim = false);
Tensor mean(const Tensor& a, const Dims& dims, bool keepdim = false);
// Variance by two passes; the sum of squares is divided by n − correction.
Tensor var(const Tensor& a, int correction = 1);
Tensor var(const Tensor& a, const Dims& dims, int correction = 1, bool keepdim = false);
// Extrema. The gradient is shared evenly between equal elements. ShapeError over no elements.
Tensor amax(const Tensor& a);
Tensor amax(const Tensor& a, int d, bool keepdim = false);
Tensor amax(const Tensor& a, const Dims& dims, bool keepdim = false);
Tensor amin(const Tensor& a);
Tensor amin(const Tensor& a, int d, bool keepdim = false);
Tensor amin(const Tensor& a, const Dims& dims, bool keepdim = false);
// Index (i64) of the first greatest element, along `d` or in the flattened tensor.
Tensor argmax(const Tensor& a);
Tensor argmax(const Tensor& a, int d, bool keepdim = false);

}  // namespace swage
