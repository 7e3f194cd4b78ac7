// Pieces that several composites share, with the call site passed along.
#pragma once

#include <swage/detail/call.hpp>

namespace swage::detail {

Dims all_dims(const Tensor& a);
Tensor reduce(CallSite site, Op op, const Tensor& a, const Dims& dims, bool keepdim);
Tensor mean(CallSite site, const Tensor& a, const Dims& dims, bool keepdim);
Tensor permute(CallSite site, const Tensor& a, const Dims& order);
Tensor reshape(CallSite site, const Tensor& a, const Dims& sizes);  // copies where it must
Tensor scatter_add_in_place(CallSite site, const Tensor& target, int d, const Tensor& index, const Tensor& source);
Tensor narrow(CallSite site, const Tensor& a, int d, std::int64_t start, std::int64_t length);

}  // namespace swage::detail
