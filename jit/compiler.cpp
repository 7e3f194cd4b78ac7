#include <jit/compiler.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <jit/blocking.hpp>
#include <jit/cache/code_cache.hpp>
#include <jit/cache/program_key.hpp>
#include <jit/cache/stored_code.hpp>
#include <jit/cpu/backend.hpp>
#include <jit/family.hpp>
#include <jit/generic.hpp>
#include <jit/groups.hpp>
#include <jit/inspect.hpp>
#include <jit/plan.hpp>
#include <jit/self_test.hpp>
#include <kernels/cpu/kernel_table.hpp>
#include <runtime/core/error.hpp>
#include <runtime/core/planted_fault.hpp>
#include <runtime/engine/event_log.hpp>

namespace swage {
namespace jit {
namespace {

class CpuCompiler final : public Compiler {
 public:
  CompileResult compile(const Trace& recorded, const EscapeMask& escapes) override {
    refuse_at_once(recorded);
    const Trace trace = in_best_layouts(recorded, escapes);
    FamilyPlan plan = families_.plan(trace, escapes);
    if (!plan.siblings.empty()) {
      try {
        return compile(trace, escapes, plan);
      } catch (const CompileError& error) {  // it gets code of its own
        event_log().remark(fmt::format("code for several sizes could not be made, so a trace gets its own: {}", error.what()));
        plan = {plan_groups(trace, escapes), {}, false};
      }
    }
    return compile(trace, escapes, plan);
  }

  std::optional<CompileResult> recall(const Trace& recorded, const EscapeMask& escapes) override {
    refuse_at_once(recorded);
    const Trace trace = in_best_layouts(recorded, escapes);
    FamilyPlan plan = families_.plan(trace, escapes);
    const Code code = find_code(plan.planned);
    if (!code.missing.empty()) return std::nullopt;
    families_.remember(trace, escapes, plan);
    return assemble(trace, escapes, plan.planned, code);
  }

  // Groups without code are taken apart, and what is left is grouped anew: it may have more to store then.
  std::optional<CompileResult> recall_partly(const Trace& recorded, const EscapeMask& escapes) override {
    constexpr int kAttempts = 4;
    refuse_at_once(recorded);
    const Trace trace = in_best_layouts(recorded, escapes);
    FamilyPlan plan = families_.plan(trace, escapes);
    Code code = find_code(plan.planned);
    if (code.missing.empty()) {
      families_.remember(trace, escapes, plan);
      return assemble(trace, escapes, plan.planned, code);
    }
    std::vector<bool> pending(trace.size(), false);
    PlannedGroups planned = std::move(plan.planned);
    for (int k = 0; !code.missing.empty(); ++k) {
      if (k == kAttempts || code.missing.size() == planned.distinct.size()) return std::nullopt;
      take_apart(planned, code, pending);
      planned = plan_groups(trace, escapes, Lone::to_kernels, pending);
      code = find_code(planned);
    }
    CompileResult result = assemble(trace, escapes, planned, code);
    std::vector<std::string> ops;
    for (RecordIndex i = 0; i < trace.size(); ++i)
      if (pending[i]) ops.push_back(fmt::format("{} {}", i, name_of(trace.keys[i].op)));
    result.pending_ops = ops.size();
    result.notes += fmt::format("{}run by kernels until there is code for them: {}", result.notes.empty() ? "" : "\n",
                                fmt::join(ops, ", "));
    return result;
  }

  void forget() override {
    families_.clear();
    generic_.clear();
    cache_.clear();
  }

 private:
  // The functions of a trace's distinct programs.
  struct Code {
    std::vector<std::string> keys;
    std::vector<NativeFunction> functions;
    std::vector<std::size_t> missing;  // indices of programs that code must be generated for
  };

  static void refuse_at_once(const Trace& trace) {
    for (const KeyHalf& key : trace.keys)
      if (key.flags & KeyHalf::kAtOnce) throw CompileError("the trace touches memory that the user holds");
  }

  CompileResult compile(const Trace& trace, const EscapeMask& escapes, FamilyPlan& plan) {
    Code code = find_code(plan.planned);
    if (!code.missing.empty()) generate(trace, escapes, plan, code);
    families_.remember(trace, escapes, plan);
    return assemble(trace, escapes, plan.planned, code);
  }

  // Code of the programs themselves, or that of programs which other families share.
  Code find_code(PlannedGroups& planned) {
    Code code = known_code(planned);
    bool other = false;
    for (std::size_t g = 0; g < planned.programs.size(); ++g)
      if (planned.unique[g] >= 0 && std::ranges::binary_search(code.missing, static_cast<std::size_t>(planned.unique[g])))
        other = generic_.find(*planned.programs[g]) || other;
    if (!other) return code;
    find_distinct(planned);
    return known_code(planned);
  }

  static void take_apart(const PlannedGroups& planned, const Code& code, std::vector<bool>& pending) {
    for (std::size_t g = 0; g < planned.programs.size(); ++g) {
      if (planned.unique[g] < 0 || !std::ranges::binary_search(code.missing, static_cast<std::size_t>(planned.unique[g])))
        continue;
      const Group& group = planned.grouping.groups[g];
      for (RecordIndex i : group.records)
        if (!std::ranges::binary_search(group.copies, i)) pending[i] = true;
    }
  }

  // What is in memory, and what is on disk.
  Code known_code(const PlannedGroups& planned) {
    Code code;
    std::vector<CodeImage> images;
    std::vector<std::size_t> stored;
    for (std::size_t k = 0; k < planned.distinct.size(); ++k) {
      code.keys.push_back(program_key(*planned.distinct[k]));
      code.functions.push_back(cache_.find(code.keys.back()));
      if (code.functions.back().call) continue;
      if (auto image = load_code(code.keys.back())) {
        images.push_back(std::move(*image));
        stored.push_back(k);
      } else {
        code.missing.push_back(k);
      }
    }
    place(images, stored, code);
    for (std::size_t k : stored) {
      cache_.add(code.keys[k], code.functions[k]);
      generic_.add(*planned.distinct[k]);
    }
    return code;
  }

  static void place(std::span<const CodeImage> images, std::span<const std::size_t> programs, Code& code) {
    if (images.empty()) return;
    const auto pages = std::make_shared<const CodePages>(images);
    for (std::size_t i = 0; i < programs.size(); ++i)
      code.functions[programs[i]] = {reinterpret_cast<GroupFunction>(pages->entry(i)), pages};
  }

  void generate(const Trace& trace, const EscapeMask& escapes, const FamilyPlan& plan, Code& code) {
    std::vector<const Program*> programs;
    programs.reserve(code.missing.size());
    for (std::size_t k : code.missing) programs.push_back(plan.planned.distinct[k]);
    const std::vector<CodeImage> images = backend_.generate(programs);
    place(images, code.missing, code);
    test(trace, plan.planned, plan.planned, code);
    for (const Rehearsal& other : rehearsals(trace, escapes, plan)) test(other.trace, other.planned, plan.planned, code);
    for (std::size_t i = 0; i < code.missing.size(); ++i) {
      const std::size_t k = code.missing[i];
      cache_.add(code.keys[k], code.functions[k]);
      generic_.add(*plan.planned.distinct[k]);
      store_code(code.keys[k], images[i]);
    }
  }

  // Bits depend on code alone: what was tested once is not tested again. `planned` may be of a sibling that shares code with the
  // plan that it was generated for.
  void test(const Trace& trace, const PlannedGroups& planned, const PlannedGroups& generated, const Code& code) const {
    if (!planted(PlantedFault::none)) return;  // fuzzing is to find it
    const SelfTest self_test(trace, kernels_);
    for (std::size_t k : code.missing) {
      const auto of_sibling = [&](const std::optional<BoundProgram>& p) { return p && p->code == *generated.distinct[k]; };
      const auto found = std::ranges::find_if(planned.programs, of_sibling);
      if (found == planned.programs.end()) continue;
      const auto g = static_cast<std::size_t>(found - planned.programs.begin());
      if (const auto wrong = self_test.run(planned.grouping.groups[g], **found, code.functions[k].call))
        throw CompileError(fmt::format("self-test: {}: {}", describe_group(trace, planned, g), *wrong));
    }
  }

  CompileResult assemble(const Trace& trace, const EscapeMask& escapes, const PlannedGroups& planned, const Code& code) const {
    CompileResult result;
    PlanParts parts{&trace, &escapes, &planned.grouping, {}, &kernels_, {}};
    for (const NativeFunction& function : code.functions)
      if (parts.code.empty() || parts.code.back() != function.pages) parts.code.push_back(function.pages);
    for (std::size_t g = 0; g < planned.grouping.groups.size(); ++g) {
      GroupStep step;
      if (planned.programs[g]) {
        const Program& program = planned.programs[g]->program;
        step.function = code.functions[static_cast<std::size_t>(planned.unique[g])].call;
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
    result.generated = code.missing.size();
    result.notes = fmt::format("{}", fmt::join(planned.grouping.notes, "\n"));
    return result;
  }

  const KernelTable kernels_ = cpu_kernel_table();
  Families families_;
  CpuBackend backend_;
  CodeCache cache_;
  GenericPrograms generic_;
};

}  // namespace
}  // namespace jit

std::unique_ptr<Compiler> make_cpu_compiler() { return std::make_unique<jit::CpuCompiler>(); }

}  // namespace swage
