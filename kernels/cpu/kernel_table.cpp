#include <kernels/cpu/kernel_table.hpp>

#include <kernels/cpu/contraction.hpp>
#include <kernels/cpu/fill.hpp>
#include <kernels/cpu/index.hpp>
#include <kernels/cpu/pointwise.hpp>
#include <kernels/cpu/reduce.hpp>
#include <kernels/cpu/simd_table.hpp>

namespace swage {
namespace {

Kernel kernel_of(const OpInfo& row) {
  switch (row.kind) {
    case OpKind::structure:
    case OpKind::view: return nullptr;
    case OpKind::pointwise: return run_pointwise;
    case OpKind::reduction: return run_reduction;
    case OpKind::contraction: return row.op == Op::matmul ? run_matmul : run_conv2d;
    case OpKind::fill: return row.op == Op::full ? run_full : run_iota;
    case OpKind::random: return run_random;
    case OpKind::index: return row.op == Op::gather ? run_gather : run_scatter_add;
  }
  return nullptr;
}

}  // namespace

KernelTable cpu_kernel_table() {
  simd();  // chooses, or raises, now rather than in the first op
  KernelTable table;
  for (const OpInfo& row : kOpTable) {
    table.run[static_cast<std::size_t>(row.op)] = kernel_of(row);
    if (row.checked) table.check[static_cast<std::size_t>(row.op)] = check_index;
  }
  return table;
}

}  // namespace swage
