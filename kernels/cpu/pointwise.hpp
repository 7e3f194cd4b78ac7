// Kernels that run a SIMD loop over any views.
#pragma once

#include <runtime/engine/kernel_table.hpp>

namespace swage {

void run_pointwise(const KernelArgs& args);
void run_full(const KernelArgs& args);

}  // namespace swage
