// Convolutions of our own in blocks of 16 channels (f32, AVX-512). On small images, where much of what the library multiplies is
// padding, they take down to half of its time; so do gradients of a weight, which need no reorder and no copy of channels here.
#pragma once

#include <cstdint>

#include <kernels/cpu/convolution.hpp>

namespace swage {

// Whether this machine and these channels allow it.
bool direct_convolution_fits(Op op, std::int64_t in_channels, std::int64_t out_channels);

// How many units of work there are; threads may share them as they like, the bits are the same.
std::int64_t direct_convolution_units(Op op, std::int64_t images, std::int64_t in_channels, std::int64_t out_channels);

// Operands, result and `blocked` as for onednn_convolution. Each output is one chain of fma: over taps, then input channels
// (forward), over taps, then output channels (gradient of the input), over images, then places (of the weight). Threads take `part`
// units at a time. Throws MemoryError before anything is written.
void direct_convolution(Op op, const ConvShape& shape, unsigned blocked, std::int64_t part, const void* first,
                        const void* second, void* result);

}  // namespace swage
