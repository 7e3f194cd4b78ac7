// The inner loops of direct convolutions, compiled with the other loops in kernels/cpu/simd. Activations lie in blocks of 16
// channels, N×C/16×places×16; two blocks of the result are computed together. Distances and offsets in elements.
#pragma once

#include <cstdint>

namespace swage {

// What one multiplication takes: the pairs of sum s stand in [first[s], first[s + 1]) of a list.
struct OffsetPair {
  std::int64_t first, second;
};

// out[image, block, place] = the sum, one chain of fma, over the place's pairs (weight, input), then over input channels.
struct ConvolutionPlaces {
  const float *in = nullptr, *weight = nullptr;  // weight: input channel × tap × 16, for each block
  float* out = nullptr;
  std::int64_t images = 0, in_image = 0, out_image = 0;
  std::int64_t in_blocks = 0, in_block = 0;
  std::int64_t out_block = 0, weight_block = 0;
  std::int64_t taps = 0, places = 0;
  const OffsetPair* list = nullptr;
  const std::int64_t* first = nullptr;
};

// sums[block, channel, tap] (16 elements each; the channels are those of one block of the input) = the sum, one chain of fma, over
// images, then over the tap's pairs (gradient, input).
struct ConvolutionTaps {
  const float *gradient = nullptr, *in = nullptr;
  float* sums = nullptr;
  std::int64_t images = 0, gradient_image = 0, in_image = 0;
  std::int64_t turn = 1;  // images that are worked on together; no matter for the bits
  std::int64_t gradient_block = 0, sums_block = 0;
  std::int64_t taps = 0;
  const OffsetPair* list = nullptr;
  const std::int64_t* first = nullptr;
};

struct ConvolutionLoops {  // null where the instruction set has none
  void (*places)(const ConvolutionPlaces&) = nullptr;
  void (*taps)(const ConvolutionTaps&) = nullptr;
};

namespace avx2 {
ConvolutionLoops convolution_loops();
}  // namespace avx2
namespace avx512 {
ConvolutionLoops convolution_loops();
}  // namespace avx512

}  // namespace swage
