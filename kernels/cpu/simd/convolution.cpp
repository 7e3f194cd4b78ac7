// The inner loops of convolutions on small images, in blocks of 16 channels. Places whose taps fall into the padding have a list
// without those, so nothing is multiplied by zero.
#include <kernels/cpu/convolution_loops.hpp>
#include <kernels/cpu/simd/vec.hpp>

namespace swage::SWAGE_SIMD {
namespace {

#ifdef __AVX512F__

constexpr int kBlock = 16;
constexpr int kBlocks = 2;  // of the result, worked on together

// `images` images of one place.
template <int images>
void place(const ConvolutionPlaces& run, std::int64_t p, const float* in, float* out) {
  F32 sum[images][kBlocks];
  for (int i = 0; i < images; ++i)
    for (int b = 0; b < kBlocks; ++b) sum[i][b] = F32::splat(0);
  const std::int64_t channel = run.taps * kBlock;
  for (std::int64_t k = run.first[p]; k < run.first[p + 1]; ++k)
    for (std::int64_t c = 0; c < run.in_blocks; ++c) {
      const float* x = in + run.list[k].second + c * run.in_block;
      const float* w = run.weight + run.list[k].first + c * kBlock * channel;
#pragma GCC unroll 4
      for (int j = 0; j < kBlock; ++j, w += channel) {
        F32 weight[kBlocks];
        for (int b = 0; b < kBlocks; ++b) weight[b] = F32::load(w + b * run.weight_block);
        for (int i = 0; i < images; ++i) {
          const F32 value = F32::broadcast(x[i * run.in_image + j]);
          for (int b = 0; b < kBlocks; ++b) sum[i][b] = fma(value, weight[b], sum[i][b]);
        }
      }
    }
  for (int i = 0; i < images; ++i)
    for (int b = 0; b < kBlocks; ++b) sum[i][b].store(out + i * run.out_image + b * run.out_block + p * kBlock);
}

void convolution_places(const ConvolutionPlaces& run) {
  for (std::int64_t p = 0; p < run.places; ++p) {
    std::int64_t i = 0;
    for (; i + 8 <= run.images; i += 8) place<8>(run, p, run.in + i * run.in_image, run.out + i * run.out_image);
    for (; i + 2 <= run.images; i += 2) place<2>(run, p, run.in + i * run.in_image, run.out + i * run.out_image);
    if (i < run.images) place<1>(run, p, run.in + i * run.in_image, run.out + i * run.out_image);
  }
}

// One tap of the gradient of a weight, for `channels` channels of the input.
template <int channels>
void tap(const ConvolutionTaps& run, std::int64_t t, int channel, const float* in, const float* gradient, std::int64_t images,
         bool more) {
  float* const sums = run.sums + (channel * run.taps + t) * kBlock;
  F32 sum[channels][kBlocks];
  for (int j = 0; j < channels; ++j)
    for (int b = 0; b < kBlocks; ++b)
      sum[j][b] = more ? F32::load(sums + j * run.taps * kBlock + b * run.sums_block) : F32::splat(0);
  for (std::int64_t i = 0; i < images; ++i)
    for (std::int64_t k = run.first[t]; k < run.first[t + 1]; ++k) {
      const float* g = gradient + i * run.gradient_image + run.list[k].first;
      const float* x = in + i * run.in_image + run.list[k].second + channel;
      F32 grad[kBlocks];
      for (int b = 0; b < kBlocks; ++b) grad[b] = F32::load(g + b * run.gradient_block);
      for (int j = 0; j < channels; ++j) {
        const F32 value = F32::broadcast(x[j]);
        for (int b = 0; b < kBlocks; ++b) sum[j][b] = fma(value, grad[b], sum[j][b]);
      }
    }
  for (int j = 0; j < channels; ++j)
    for (int b = 0; b < kBlocks; ++b) sum[j][b].store(sums + j * run.taps * kBlock + b * run.sums_block);
}

// Images in turns that stay in the second-level cache for all taps; the chains go on where the last turn left them.
void convolution_taps(const ConvolutionTaps& run) {
  for (std::int64_t i = 0; i < run.images; i += run.turn) {
    const std::int64_t images = run.images - i < run.turn ? run.images - i : run.turn;
    for (std::int64_t t = 0; t < run.taps; ++t)
      for (int channel = 0; channel < kBlock; channel += 8)
        tap<8>(run, t, channel, run.in + i * run.in_image, run.gradient + i * run.gradient_image, images, i > 0);
  }
}

#endif

}  // namespace

ConvolutionLoops convolution_loops() {
#ifdef __AVX512F__
  return {convolution_places, convolution_taps};
#else
  return {};
#endif
}

}  // namespace swage::SWAGE_SIMD
