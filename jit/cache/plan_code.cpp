#include <jit/cache/plan_code.hpp>

#include <jit/blocking.hpp>
#include <jit/cache/program_key.hpp>
#include <jit/cache/stored_code.hpp>
#include <runtime/core/error.hpp>

namespace swage::jit {
namespace {

PlanCode look_up(const EntryFolder& folder, const PlannedGroups& planned) {
  PlanCode code;
  for (const Program* const program : planned.distinct) {
    const std::string key = program_key(*program);
    const EntryKey wanted{kCodeKind, code_environment(), key};
    std::string name = name_of(wanted), why_not;
    const std::optional<Entry> entry = folder.examine(name, why_not);
    if (entry && entry->environment == wanted.environment && entry->key == key && image_of(entry->payload))
      code.here.push_back(std::move(name));
    else
      ++code.missing;
  }
  return code;
}

}  // namespace

std::vector<PlanCode> code_of_plans(const EntryFolder& folder, const std::vector<StoredTrace>& traces) {
  std::vector<PlanCode> codes(traces.size());
  std::vector<std::size_t> left;
  Families families;
  // Whatever is whole for its own numbers comes first; the others share code with one of these.
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const EscapeMask& escapes = traces[i].escapes;
    try {
      const Trace trace = in_best_layouts(traces[i].trace, escapes);
      const FamilyPlan alone{plan_groups(trace, escapes), {}, true};
      codes[i] = look_up(folder, alone.planned);
      if (codes[i].missing > 0)
        left.push_back(i);
      else
        families.remember(trace, escapes, alone);
    } catch (const CompileError& error) {
      codes[i].trouble = error.what();
    }
  }
  for (const std::size_t i : left) {
    const Trace trace = in_best_layouts(traces[i].trace, traces[i].escapes);
    const FamilyPlan plan = families.plan(trace, traces[i].escapes);
    PlanCode shared = look_up(folder, plan.planned);
    if (shared.missing >= codes[i].missing) continue;
    if (shared.missing == 0) families.remember(trace, traces[i].escapes, plan);
    codes[i] = std::move(shared);
  }
  return codes;
}

}  // namespace swage::jit
