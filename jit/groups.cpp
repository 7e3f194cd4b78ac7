#include <jit/groups.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <jit/recompute.hpp>
#include <runtime/core/error.hpp>

namespace swage::jit {
namespace {

// One attempt; false where some group came to nothing and its records were marked in `alone`.
bool attempt(const Trace& trace, const EscapeMask& escapes, Lone lone, std::vector<bool>& alone,
             std::vector<std::string>& refusals, PlannedGroups& planned) {
  planned.grouping = group_records(trace, alone);
  recompute_values(trace, escapes, planned.grouping);
  const std::size_t n = planned.grouping.groups.size();
  planned.programs.assign(n, std::nullopt);
  bool settled = true;
  for (std::size_t g = 0; g < n; ++g) {
    const Group& group = planned.grouping.groups[g];
    if (group.library || group.records.empty()) continue;
    if (group.records.size() == 1 && lone == Lone::to_kernels) {  // its kernel is as fast, and costs no compilation
      alone[group.records[0]] = true;
      settled = false;
      continue;
    }
    try {
      BoundProgram program = build_program({&trace, &planned.grouping}, {}, escapes, static_cast<int>(g));
      if (!program.program.stores.empty()) planned.programs[g] = std::move(program);
    } catch (const CompileError& error) {
      for (RecordIndex i : group.records)
        alone[i] = alone[i] || !std::binary_search(group.copies.begin(), group.copies.end(), i);
      refusals.push_back(
          fmt::format("records {} to {} run one by one: {}", group.records.front(), group.records.back(), error.what()));
      settled = false;
    }
  }
  return settled;
}

}  // namespace

void find_distinct(PlannedGroups& planned) {
  planned.unique.assign(planned.programs.size(), -1);
  planned.distinct.clear();
  for (std::size_t g = 0; g < planned.programs.size(); ++g) {
    if (!planned.programs[g]) continue;
    const Program& program = planned.programs[g]->code;
    const auto same =
        std::find_if(planned.distinct.begin(), planned.distinct.end(), [&](const Program* other) { return *other == program; });
    planned.unique[g] = static_cast<int>(same - planned.distinct.begin());
    if (same == planned.distinct.end()) planned.distinct.push_back(&program);
  }
}

PlannedGroups plan_groups(const Trace& trace, const EscapeMask& escapes, Lone lone, std::vector<bool> alone) {
  PlannedGroups planned;
  alone.resize(trace.size(), false);
  std::vector<std::string> refusals;
  while (!attempt(trace, escapes, lone, alone, refusals, planned)) {
  }
  auto& notes = planned.grouping.notes;
  notes.insert(notes.end(), refusals.begin(), refusals.end());
  find_distinct(planned);
  return planned;
}

std::optional<PlannedGroups> plan_grouped(const Trace& trace, const EscapeMask& escapes, Grouping grouping,
                                          std::span<const GroupedTrace> siblings) {
  PlannedGroups planned;
  planned.grouping = std::move(grouping);
  planned.programs.resize(planned.grouping.groups.size());
  try {
    for (std::size_t g = 0; g < planned.programs.size(); ++g) {
      if (planned.grouping.groups[g].library || planned.grouping.groups[g].records.empty()) continue;
      BoundProgram program = build_program({&trace, &planned.grouping}, siblings, escapes, static_cast<int>(g));
      if (!program.program.stores.empty()) planned.programs[g] = std::move(program);
    }
  } catch (const CompileError&) {
    return std::nullopt;
  }
  find_distinct(planned);
  return planned;
}

}  // namespace swage::jit
