// Reductions over any set of dimensions, by the fixed reduction tree.
#pragma once

#include <runtime/engine/kernel_table.hpp>

namespace swage {

void run_reduction(const KernelArgs& args);  // sum, amax, amin, argmax

}  // namespace swage
