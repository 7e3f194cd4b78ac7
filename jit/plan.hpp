// A compiled trace: steps in order, each a group function or a kernel, on addresses that are filled in at every run.
#pragma once

#include <memory>
#include <vector>

#include <jit/cpu/backend.hpp>
#include <jit/cpu/code_pages.hpp>
#include <jit/fusion.hpp>
#include <jit/program.hpp>
#include <runtime/engine/kernel_table.hpp>
#include <runtime/engine/plan.hpp>

namespace swage::jit {

struct GroupStep {
  GroupFunction function = nullptr;
  std::int64_t units = 0;
  std::int64_t grain = 1;
  bool parallel = false;          // large enough for more than one thread
  std::size_t partial_bytes = 0;  // split programs: scratch memory, and a last call that combines
  const Binding* binding = nullptr;
};

// What a plan is made of. `groups` has one entry a group of the grouping; library calls have no function.
struct PlanParts {
  const Trace* trace = nullptr;
  const EscapeMask* escapes = nullptr;
  const Grouping* grouping = nullptr;
  std::vector<GroupStep> groups;
  const KernelTable* kernels = nullptr;
  std::vector<std::shared_ptr<const CodePages>> code;  // what keeps the functions
};

// Groups with less work than this run on the calling thread.
inline constexpr std::int64_t kParallelElements = 32768;

// Throws CompileError where a check would need a value that the trace itself computes.
std::unique_ptr<Plan> make_plan(const PlanParts& parts);

}  // namespace swage::jit
