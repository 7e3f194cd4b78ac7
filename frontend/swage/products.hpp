// Matrix products and convolutions.
#pragma once

#include <array>

#include <swage/tensor.hpp>

namespace swage {

// (m,k)·(k,n) → (m,n); (k)·(k,n) → (n); (m,k)·(k) → (m); (k)·(k) → (). With more dimensions, (…,m,k)·(…,k,n) →
// (…,m,n): batches of matrices, whose leading extents broadcast. Floating types. Transposed operands are read in place.
Tensor matmul(const Tensor& a, const Tensor& b);

// x · weightᵀ + bias: x (…,in), weight (out,in), bias (out) or undefined → (…,out).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// Two numbers, height first; one number stands for both.
struct Pair {
  Pair(std::int64_t both) : height(both), width(both) {}  // NOLINT(google-explicit-constructor)
  Pair(std::int64_t h, std::int64_t w) : height(h), width(w) {}
  std::int64_t height, width;
};

// Cross-correlation, as deep learning has it: input (N,C,H,W), weight (O,C,h,w), bias (O) or undefined → (N,O,H′,W′) with
// H′ = ⌊(H + 2·padding − h)/stride⌋ + 1. Padding is with zeros.
Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, Pair stride = 1, Pair padding = 0);

}  // namespace swage
