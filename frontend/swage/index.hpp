// Joining, and addressing by data.
#pragma once

#include <span>
#include <vector>

#include <runtime/core/call_site.hpp>
#include <swage/tensor.hpp>

namespace swage {

// Tensors of one shape but for dimension `d`, one after the other along it. Types are promoted.
Tensor cat(const std::vector<Tensor>& tensors, int d = 0);
// Tensors of one shape along a new dimension `d`.
Tensor stack(const std::vector<Tensor>& tensors, int d = 0);

// result[i][j] = a[index[i][j]][j] for d = 0, and so on; the result has the shape of `index` (i64). IndexError where an index is out of
// range. The gradient adds up over elements that were picked more than once.
Tensor gather(const Tensor& a, int d, const Tensor& index);
// A copy of `a` with source[i][j] added at [index[i][j]][j], in row-major order of the index.
Tensor scatter_add(const Tensor& a, int d, const Tensor& index, const Tensor& source);
// (…) i64 → (…,classes): 1 where the last dimension's index equals the element, else 0. Elements out of range give rows of 0.
Tensor one_hot(const Tensor& index, std::int64_t classes, DType dtype = DType::i64);

namespace detail {

// A tensor of zeros of `sizes` with `part` written along `d` from `start` on: the adjoint of narrow.
Tensor embed(CallSite site, const Tensor& part, const Dims& sizes, int d, std::int64_t start);

}  // namespace detail

}  // namespace swage
