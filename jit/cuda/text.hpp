// A trace on its way to the GPU, as text.
#pragma once

#include <string>

#include <jit/inspect.hpp>

namespace swage::jit::cuda {

// Stage::cuda: the kernels of the groups that lower, with a list of all groups and the reason where there is no kernel.
// Stage::ptx: the same list, and what NVRTC makes of the kernels. Throws CompileError.
std::string to_text(const Trace& trace, const EscapeMask& escapes, Stage stage);

}  // namespace swage::jit::cuda
