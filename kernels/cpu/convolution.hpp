// The geometry of a convolution, and the convolutions of our own (f64).
#pragma once

#include <cstdint>

#include <runtime/engine/kernel_table.hpp>

namespace swage {

// Input N×C×H×W, weight O×C×KH×KW, output N×O×OH×OW; all dense. Plain data: compared bytewise.
struct ConvShape {
  std::int64_t images, in_channels, in_height, in_width;
  std::int64_t out_channels, kernel_height, kernel_width;
  std::int64_t out_height, out_width;
  std::int64_t stride_height, stride_width, pad_height, pad_width;
  std::int64_t held_channels;  // of the output in memory: more than out_channels where those are a part of them

  friend bool operator==(const ConvShape&, const ConvShape&) = default;
};
ConvShape conv_shape(const KernelArgs& args);

// Channels in a block of the layout N×C/block×H×W×block that f32 convolutions compute in, 0 where plain is as good. Such a tensor
// has rank 5; a convolution takes and gives activations in either layout, with the same bits.
std::int64_t convolution_block();

// Operands as in the op: (input, weight), (grad_output, weight) or (grad_output, input) give the output, the gradient of the
// input or that of the weight. Unfolds one image at a time into a matrix. Bits depend on the shape alone, and, but for the
// gradient of the weight, are those of each image by itself.
void own_convolution(Op op, const ConvShape& shape, const void* first, const void* second, void* result);

}  // namespace swage
