// The CPU's kernels. The copy that runs is chosen by CPUID at first use: AVX-512 (F, DQ, BW, VL) where the machine has it,
// else AVX2 with FMA; without either, ValueError. SWAGE_ISA=avx2 or avx512 in the environment overrides the choice: pointwise
// ops and reductions give the same bits either way, contractions need not.
#pragma once

#include <runtime/engine/kernel_table.hpp>

namespace swage {

KernelTable cpu_kernel_table();

const char* cpu_vector_isa();  // "avx512" or "avx2"

}  // namespace swage
