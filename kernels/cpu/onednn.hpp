// oneDNN, called so that a steady loop allocates nothing and no two threads share an object: every thread holds its own
// primitives, memory objects and scratch space, least recently used shapes first to go. The library works in the calling
// thread only: creating a thread's objects sets that thread's OpenMP team to one.
#pragma once

#include <cstdint>

#include <kernels/cpu/convolution.hpp>

namespace swage {

// f32; operands as own_convolution. Works on the library's blocked layouts, reordered from and to plain ones but for those of
// `blocked` (bit k: operand k, bit 2: the result), which lie in blocks of convolution_block() channels.
void onednn_convolution(Op op, const ConvShape& shape, unsigned blocked, const void* first, const void* second, void* result);

}  // namespace swage
