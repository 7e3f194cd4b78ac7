#include <kernels/cpu/convolution.hpp>

#include <algorithm>
#include <cstring>
#include <string_view>

#include <kernels/cpu/kernel_table.hpp>
#include <kernels/cpu/layout.hpp>
#include <kernels/cpu/simd_table.hpp>

namespace swage {
namespace {

// Calls f(row of the unfolded matrix, y, x range) … for each (channel, kernel row, kernel column, output row): the stretch of
// output columns [first, last) whose input element exists, and the input element of the first.
template <class F>
void for_stretches(const ConvShape& s, F&& f) {
  for (std::int64_t c = 0, row = 0; c < s.in_channels; ++c)
    for (std::int64_t ky = 0; ky < s.kernel_height; ++ky)
      for (std::int64_t kx = 0; kx < s.kernel_width; ++kx, ++row)
        for (std::int64_t oy = 0; oy < s.out_height; ++oy) {
          const std::int64_t y = oy * s.stride_height + ky - s.pad_height, shift = kx - s.pad_width;
          std::int64_t first = shift < 0 ? (-shift + s.stride_width - 1) / s.stride_width : 0;
          std::int64_t last = std::min(s.out_width, (s.in_width - shift + s.stride_width - 1) / s.stride_width);
          if (y < 0 || y >= s.in_height || last < first) first = last = 0;
          first = std::min(first, s.out_width);
          f((row * s.out_height + oy) * s.out_width, first, std::max(first, last),
            (c * s.in_height + y) * s.in_width + first * s.stride_width + shift);
        }
}

void unfold(const ConvShape& s, const double* image, double* matrix) {
  for_stretches(s, [&](std::int64_t row, std::int64_t first, std::int64_t last, std::int64_t from) {
    double* out = matrix + row;
    std::fill(out, out + first, 0.0);
    for (std::int64_t x = first; x < last; ++x) out[x] = image[from + (x - first) * s.stride_width];
    std::fill(out + last, out + s.out_width, 0.0);
  });
}

void fold(const ConvShape& s, const double* matrix, double* image) {
  std::fill(image, image + s.in_channels * s.in_height * s.in_width, 0.0);
  for_stretches(s, [&](std::int64_t row, std::int64_t first, std::int64_t last, std::int64_t to) {
    for (std::int64_t x = first; x < last; ++x) image[to + (x - first) * s.stride_width] += matrix[row + x];
  });
}

}  // namespace

ConvShape conv_shape(const KernelArgs& args) {
  const Op op = args.key->op;
  const Dims& input = op == Op::conv2d              ? args.operands[0].desc->dims
                      : op == Op::conv2d_grad_input ? args.result.desc->dims
                                                    : args.operands[1].desc->dims;
  const Dims& weight = op == Op::conv2d_grad_weight ? args.result.desc->dims : args.operands[1].desc->dims;
  const Dims& output = op == Op::conv2d ? args.result.desc->dims : args.operands[0].desc->dims;
  const std::vector<std::int64_t>& ints = args.attribute->ints;
  const std::int64_t in_channels = input.rank() == 5 ? input[1] * input[4] : input[1];
  return {input[0],  in_channels, input[2], input[3], weight[0], weight[2], weight[3],
          output[2], output[3],   ints[0],  ints[1],  ints[2],   ints[3],   weight[0]};
}

std::int64_t convolution_block() { return std::string_view(cpu_vector_isa()) == "avx512" ? 16 : 0; }

void own_convolution(Op op, const ConvShape& s, const void* first, const void* second, void* result) {
  const std::int64_t taps = s.in_channels * s.kernel_height * s.kernel_width, places = s.out_height * s.out_width;
  const std::int64_t image_in = s.in_channels * s.in_height * s.in_width, image_out = s.out_channels * places;
  const Scratch scratch(static_cast<std::size_t>(taps * places) * sizeof(double));
  double* const matrix = scratch.as<double>();
  const auto* a = static_cast<const double*>(first);
  const auto* b = static_cast<const double*>(second);
  auto* out = static_cast<double*>(result);
  const auto gemm = simd().gemm[static_cast<int>(DType::f64)];
  for (std::int64_t i = 0; i < s.images; ++i) {
    if (op == Op::conv2d) {  // output = weight · unfolded input
      unfold(s, a + i * image_in, matrix);
      gemm({s.out_channels, places, taps, b, taps, 1, matrix, places, 1, out + i * image_out, places, false});
    } else if (op == Op::conv2d_grad_input) {  // unfolded gradient = weightᵀ · gradient
      gemm({taps, places, s.out_channels, b, 1, taps, a + i * image_out, places, 1, matrix, places, false});
      fold(s, matrix, out + i * image_in);
    } else {  // gradient of the weight += gradient · (unfolded input)ᵀ
      unfold(s, b + i * image_in, matrix);
      gemm({s.out_channels, taps, places, a + i * image_out, places, 1, matrix, 1, places, out, taps, i > 0});
    }
  }
}

}  // namespace swage
