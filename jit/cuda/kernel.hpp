// A CUDA kernel for one group program, and how it is launched.
#pragma once

#include <cstdint>
#include <string>

namespace swage::jit::cuda {

// Arguments: the program's pointers, each at the start of what it walks, then its scalars by value (int64_t or double).
struct Kernel {
  static constexpr int kThreads = 256;  // of a block, always

  std::string name;
  std::int64_t units = 0;  // elements of a program without reductions, else results
  std::int64_t units_per_block = 0;

  // With fewer blocks than this, and at least one, each block goes on to further units.
  std::int64_t blocks() const { return (units + units_per_block - 1) / units_per_block; }
};

}  // namespace swage::jit::cuda
