// Products and convolutions. `decide` is the one place that names implementation, layout and partition, from extents, stride
// classes, element type and threads alone; eager kernels and compiled code both go through it, so that the bits of a
// contraction never depend on who asks.
#pragma once

#include <cstdint>

#include <runtime/engine/kernel_table.hpp>

namespace swage {

enum class Implementation : std::uint8_t {
  zeros,   // nothing to add up
  own,     // kernels/cpu/simd/gemm.cpp: chains of fma over ascending k
  dots,    // one row or column as result, the matrix dense along k: 16 chains an element, read at full bandwidth
  direct,  // convolutions: kernels/cpu/direct_convolution.cpp, in blocks of 16 channels
  onednn,  // convolutions: oneDNN on blocked layouts, with primitives held by each thread
};

// How a matrix lies in memory. oneDNN reads the first two where they are.
enum class MatrixLayout : std::uint8_t {
  plain,       // rows dense
  transposed,  // columns dense
  scattered,   // neither: copied into plain form
};

struct ContractionQuery {
  Op op = Op::matmul;
  DType dtype = DType::f32;
  int threads = 1;
  std::int64_t m = 0, k = 0, n = 0;  // matmul
  MatrixLayout a = MatrixLayout::plain, b = MatrixLayout::plain;
  // Convolutions. Places: pixels of an output image. Taps: of the kernel.
  std::int64_t images = 0, in_channels = 0, out_channels = 0, places = 0, taps = 0;
};
struct ContractionDecision {
  Implementation implementation = Implementation::own;
  int parts = 1;          // computed independently, one a thread
  std::int64_t part = 0;  // in each part but the last: rows of the result; images; channels of a gradient of the weight;
                          // direct: units of work
  bool columns = false;   // products: parts are columns of the result instead
};
ContractionDecision decide(const ContractionQuery& query);

void run_matmul(const KernelArgs& args);  // two matrices, or two batches of them
void run_conv2d(const KernelArgs& args);  // all three convolutions

}  // namespace swage
