#include <jit/inspect.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <jit/blocking.hpp>
#include <jit/cpu/backend.hpp>
#include <jit/cuda/text.hpp>
#include <jit/groups.hpp>
#include <jit/memory_plan.hpp>

namespace swage {
namespace jit {
namespace {

std::int64_t bytes_of(const Trace& trace, RecordIndex i) {
  const ViewDesc& desc = desc_of(trace.results[i]);
  return desc.numel() * static_cast<std::int64_t>(size_of(desc.dtype));
}

// What the records of a group hand each other in registers: each would have been written once, and read once by every reader.
std::int64_t saved_bytes(const Trace& trace, const EscapeMask& escapes, const Grouping& grouping, int g) {
  const Group& group = grouping.groups[static_cast<std::size_t>(g)];
  if (group.library) return 0;
  std::int64_t saved = 0;
  const auto inside = [&](RecordIndex i) { return std::ranges::find(group.records, i) != group.records.end(); };
  for (RecordIndex i : group.records) {
    for (int k = 0; k < trace.keys[i].n_operands; ++k)
      if (trace.keys[i].operands[k].is_tensor() && inside(trace.operand(i, k))) saved += bytes_of(trace, trace.operand(i, k));
    if (trace.storages[i] == i && !grouping.stored(trace, escapes, i, g)) saved += bytes_of(trace, i);
  }
  return saved;
}

}  // namespace

std::string describe_group(const Trace& trace, const PlannedGroups& planned, std::size_t g) {
  const Group& group = planned.grouping.groups[g];
  std::string text = fmt::format("group {}:", g);
  for (RecordIndex i : group.records) text += fmt::format(" %{} {}", i, name_of(trace.keys[i].op));
  if (group.library) return text + " (library)";
  return planned.programs[g] ? text + " — " + to_string(planned.programs[g]->code) : text + " (no effect)";
}

}  // namespace jit

std::string lower_to_text(const Trace& recorded, const EscapeMask& escapes, Stage stage) {
  if (stage == Stage::cuda || stage == Stage::ptx) return jit::cuda::to_text(recorded, escapes, stage);
  const Trace trace = jit::in_best_layouts(recorded, escapes);
  const jit::PlannedGroups planned = jit::plan_groups(trace, escapes);
  if (stage == Stage::record || stage == Stage::fused) {
    std::string text = stage == Stage::record ? print(trace, &escapes) : "";
    for (std::size_t g = 0; g < planned.grouping.groups.size(); ++g) text += jit::describe_group(trace, planned, g) + "\n";
    for (const std::string& note : planned.grouping.notes) text += note + "\n";
    return text;
  }
  using Text = jit::CpuBackend::Text;
  jit::CpuBackend backend;
  return backend.text(planned.distinct, stage == Stage::mlir ? Text::mlir : stage == Stage::llvm ? Text::llvm : Text::assembly);
}

PlanOutline outline_plan(const Trace& recorded, const EscapeMask& escapes) {
  PlanOutline outline;
  outline.trace = jit::in_best_layouts(recorded, escapes);
  const Trace& trace = outline.trace;
  const jit::PlannedGroups planned = jit::plan_groups(trace, escapes);
  const jit::Grouping& grouping = planned.grouping;
  for (std::size_t g = 0; g < grouping.groups.size(); ++g) {
    const jit::Group& group = grouping.groups[g];
    outline.groups.push_back({group.library, group.records, planned.unique[g], jit::describe_group(trace, planned, g),
                              jit::saved_bytes(trace, escapes, grouping, static_cast<int>(g))});
  }
  outline.notes = grouping.notes;
  std::vector<jit::Lifetime> lifetimes;
  for (RecordIndex s = 0; s < trace.size(); ++s) {
    if (trace.storages[s] != s || trace.is_input(s) || escapes.test(s)) continue;
    if (grouping.first_touch[s] < 0 || !grouping.needs_buffer(s)) continue;
    lifetimes.push_back({static_cast<std::size_t>(jit::bytes_of(trace, s)), grouping.first_touch[s], grouping.last_touch[s]});
    outline.arena.push_back({s, lifetimes.back().bytes, 0, lifetimes.back().first, lifetimes.back().last});
  }
  const jit::MemoryPlan memory = jit::plan_memory(lifetimes);
  for (std::size_t k = 0; k < outline.arena.size(); ++k) outline.arena[k].offset = memory.offsets[k];
  outline.arena_bytes = memory.bytes;
  return outline;
}

}  // namespace swage
