// Tensors made from nothing: iota, and random numbers (kernels/random.hpp).
#pragma once

#include <runtime/engine/kernel_table.hpp>

namespace swage {

void run_iota(const KernelArgs& args);
void run_random(const KernelArgs& args);  // uniform, normal

}  // namespace swage
