// Data-dependent addressing along one dimension, with the meaning of torch.gather and torch.scatter_add: the index has the
// operand's rank, and extents no greater than its in the other dimensions. Additions happen in the logical order of the index.
#pragma once

#include <optional>
#include <string>

#include <runtime/engine/kernel_table.hpp>

namespace swage {

void run_gather(const KernelArgs& args);
void run_scatter_add(const KernelArgs& args);
std::optional<std::string> check_index(const KernelArgs& args);  // both ops: every index within the dimension

}  // namespace swage
