// Group programs in, CUDA C++ out. No LLVM or MLIR types in it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <jit/cuda/kernel.hpp>
#include <jit/program.hpp>

namespace swage::jit::cuda {

struct Source {
  std::string text;                            // complete: NVRTC, nvcc and the host shim of the tests take it as it is
  std::vector<std::optional<Kernel>> kernels;  // by program
  std::vector<std::string> refusals;           // by program: why there is no kernel
};

Source emit_source(std::span<const Program* const> programs);

}  // namespace swage::jit::cuda
