// Pooling of images over patches that do not overlap: the stride is the kernel's size, as it is by default elsewhere.
#pragma once

#include <swage/products.hpp>
#include <swage/tensor.hpp>

namespace swage {

// x (N,C,H,W) → (N,C,⌊H/h⌋,⌊W/w⌋): the greatest element of each patch of h×w, or the mean of its elements; rows and columns that fill no
// patch are left out. The gradient of the greatest is shared evenly between equal elements. Floating types. ShapeError for other ranks and
// patches larger than the image, ValueError for kernels below 1.
Tensor max_pool2d(const Tensor& x, Pair kernel);
Tensor avg_pool2d(const Tensor& x, Pair kernel);

}  // namespace swage
