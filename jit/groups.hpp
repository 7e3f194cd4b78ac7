// The front half of the compiler: a trace in, groups with their loop programs out, equal programs merged.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <jit/program.hpp>

namespace swage::jit {

struct PlannedGroups {
  Grouping grouping;
  std::vector<std::optional<BoundProgram>> programs;  // by group; none for library calls and groups without effect
  std::vector<int> unique;                            // by group: index into `distinct`, or -1
  std::vector<const Program*> distinct;
};

// What becomes of a record that fuses with no other: its kernel runs it, or, where there is none, it is a group too.
enum class Lone : std::uint8_t { to_kernels, to_groups };

// Records that no group gains from, or that have no loop nest, are left to their kernels.
// So are those marked in `alone`, by record.
PlannedGroups plan_groups(const Trace& trace, const EscapeMask& escapes, Lone lone = Lone::to_kernels,
                          std::vector<bool> alone = {});

// Merges equal programs: fills `unique` and `distinct`.
void find_distinct(PlannedGroups& planned);

std::string describe_group(const Trace& trace, const PlannedGroups& planned, std::size_t g);

// A trace that is grouped already, as its siblings are, with programs whose code all of them share. Nothing where there are none.
std::optional<PlannedGroups> plan_grouped(const Trace& trace, const EscapeMask& escapes, Grouping grouping,
                                          std::span<const GroupedTrace> siblings);

}  // namespace swage::jit
