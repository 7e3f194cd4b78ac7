// The front half of the compiler: a trace in, groups with their loop programs out, equal programs merged.
#pragma once

#include <optional>
#include <vector>

#include <jit/program.hpp>

namespace swage::jit {

struct PlannedGroups {
  Grouping grouping;
  std::vector<std::optional<BoundProgram>> programs;  // by group; none for library calls and groups without effect
  std::vector<int> unique;                            // by group: index into `distinct`, or -1
  std::vector<const Program*> distinct;
};

// Records that no group gains from, or that have no loop nest, are left to their kernels.
PlannedGroups plan_groups(const Trace& trace, const EscapeMask& escapes);

}  // namespace swage::jit
