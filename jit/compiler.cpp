#include <jit/compiler.hpp>

#include <fmt/format.h>

#include <jit/blocking.hpp>
#include <jit/cpu/backend.hpp>
#include <jit/cuda/text.hpp>
#include <jit/groups.hpp>
#include <jit/inspect.hpp>
#include <jit/plan.hpp>
#include <jit/self_test.hpp>
#include <kernels/cpu/convolution.hpp>
#include <kernels/cpu/kernel_table.hpp>
#include <runtime/core/error.hpp>
#include <runtime/core/planted_fault.hpp>

namespace swage {
namespace jit {
namespace {

std::string describe_group(const Trace& trace, const PlannedGroups& planned, std::size_t g) {
  const Group& group = planned.grouping.groups[g];
  std::string text = fmt::format("group {}:", g);
  for (RecordIndex i : group.records) text += fmt::format(" %{} {}", i, name_of(trace.keys[i].op));
  if (group.library) return text + " (library)";
  return planned.programs[g] ? text + " — " + to_string(planned.programs[g]->program) : text + " (no effect)";
}

Trace in_best_layouts(const Trace& trace, const EscapeMask& escapes) {
  const std::int64_t block = convolution_block();
  if (block == 0) return trace;
  auto blocked = block_convolutions(trace, escapes, block);
  return blocked ? std::move(*blocked) : trace;
}

class CpuCompiler final : public Compiler {
 public:
  CompileResult compile(const Trace& recorded, const EscapeMask& escapes) override {
    for (const KeyHalf& key : recorded.keys)
      if (key.flags & KeyHalf::kAtOnce) throw CompileError("the trace touches memory that the user holds");
    const Trace trace = in_best_layouts(recorded, escapes);
    const PlannedGroups planned = plan_groups(trace, escapes);
    CompileResult result;
    PlanParts parts{&trace, &escapes, &planned.grouping, {}, &kernels_, nullptr};
    if (!planned.distinct.empty()) parts.code = backend_.compile(planned.distinct);
    test(trace, planned, parts);
    for (std::size_t g = 0; g < planned.grouping.groups.size(); ++g) {
      GroupStep step;
      if (planned.programs[g]) {
        const Program& program = planned.programs[g]->program;
        step.function = parts.code->functions[static_cast<std::size_t>(planned.unique[g])];
        step.units = program.units();
        step.grain = program.grain();
        step.parallel = step.units > step.grain && step.units * program.work_per_unit() >= kParallelElements;
        step.partial_bytes = static_cast<std::size_t>(program.partial_bytes());
        step.binding = &planned.programs[g]->binding;
      }
      parts.groups.push_back(step);
      const Group& group = planned.grouping.groups[g];
      result.library_calls += group.library;
      if (group.library) continue;
      ++result.groups;
      result.fused_ops += group.records.size();
    }
    result.plan = make_plan(parts);
    result.notes = fmt::format("{}", fmt::join(planned.grouping.notes, "\n"));
    return result;
  }

 private:
  void test(const Trace& trace, const PlannedGroups& planned, const PlanParts& parts) const {
    if (!planted(PlantedFault::none)) return;  // fuzzing is to find it
    const SelfTest self_test(trace, kernels_);
    std::vector<bool> tested(planned.distinct.size(), false);
    for (std::size_t g = 0; g < planned.programs.size(); ++g) {
      if (!planned.programs[g]) continue;
      const auto k = static_cast<std::size_t>(planned.unique[g]);
      if (tested[k]) continue;
      tested[k] = true;
      if (const auto wrong = self_test.run(planned.grouping.groups[g], *planned.programs[g], parts.code->functions[k]))
        throw CompileError(fmt::format("self-test: {}: {}", describe_group(trace, planned, g), *wrong));
    }
  }

  KernelTable kernels_ = cpu_kernel_table();
  CpuBackend backend_;
};

}  // namespace
}  // namespace jit

std::unique_ptr<Compiler> make_cpu_compiler() { return std::make_unique<jit::CpuCompiler>(); }

std::string lower_to_text(const Trace& recorded, const EscapeMask& escapes, Stage stage) {
  if (stage == Stage::cuda || stage == Stage::ptx) return jit::cuda::to_text(recorded, escapes, stage);
  const Trace trace = jit::in_best_layouts(recorded, escapes);
  const jit::PlannedGroups planned = jit::plan_groups(trace, escapes);
  if (stage == Stage::record) {
    std::string text = print(trace, &escapes);
    for (std::size_t g = 0; g < planned.grouping.groups.size(); ++g) text += jit::describe_group(trace, planned, g) + "\n";
    for (const std::string& note : planned.grouping.notes) text += note + "\n";
    return text;
  }
  using Text = jit::CpuBackend::Text;
  jit::CpuBackend backend;
  return backend.text(planned.distinct, stage == Stage::mlir ? Text::mlir : stage == Stage::llvm ? Text::llvm : Text::assembly);
}

}  // namespace swage
