#include <jit/family.hpp>

#include <algorithm>

#include <runtime/trace/derive.hpp>
#include <runtime/trace/family.hpp>

namespace swage::jit {
namespace {

using Siblings = std::vector<std::shared_ptr<const FamilyPlan::Sibling>>;

// The groups of `model` on another trace of its family. Spaces take the extents of the record that gave them theirs. Nothing
// where no record did; what else must agree is found out when programs are built.
std::optional<Grouping> group_like(const Trace& trace, const GroupedTrace& model) {
  Grouping grouping = *model.grouping;
  for (Group& group : grouping.groups) {
    if (group.library || group.records.empty()) continue;
    const auto gave = std::find_if(group.records.begin(), group.records.end(), [&](RecordIndex i) {
      const bool reduces = kind_of(model.trace->keys[i].op) == OpKind::reduction;
      return extents_of(*model.trace, i) == group.space.dims && (group.space.reduced == 0 || reduces);
    });
    if (gave == group.records.end()) return std::nullopt;
    group.space.dims = extents_of(trace, *gave);
  }
  return grouping;
}

std::vector<GroupedTrace> views(const Siblings& siblings) {
  std::vector<GroupedTrace> views;
  for (const auto& sibling : siblings) views.push_back({&sibling->trace, &sibling->grouping});
  return views;
}

std::optional<PlannedGroups> plan_like(const Trace& trace, const EscapeMask& escapes, const Siblings& siblings) {
  auto grouping = group_like(trace, {&siblings[0]->trace, &siblings[0]->grouping});
  if (!grouping) return std::nullopt;
  return plan_grouped(trace, escapes, std::move(*grouping), views(siblings));
}

// The siblings, grouped as `trace` is.
std::optional<Siblings> regroup(const Siblings& siblings, const GroupedTrace& model) {
  Siblings regrouped;
  for (const auto& sibling : siblings) {
    auto grouping = group_like(sibling->trace, model);
    if (!grouping) return std::nullopt;
    regrouped.push_back(std::make_shared<FamilyPlan::Sibling>(FamilyPlan::Sibling{sibling->trace, std::move(*grouping)}));
  }
  return regrouped;
}

// The trace at another size of the extent in which it differs from `sibling` first.
std::optional<Trace> at_size(const Trace& trace, const Trace& sibling, std::int64_t size) {
  const RecordIndex at = first_difference(trace, sibling);
  if (at == trace.size() || !trace.is_input(at)) return std::nullopt;
  KeyHalf key = trace.keys[at];
  const ViewDesc &mine = desc_of(key.operands[0].desc), &other = desc_of(sibling.keys[at].operands[0].desc);
  if (!mine.contiguous()) return std::nullopt;
  Dims dims = mine.dims;
  for (int d = 0; d < dims.rank(); ++d) {
    if (mine.dims[d] == other.dims[d]) continue;
    dims[d] = size;
    key.operands[0].desc = intern(mine.dtype, dims);
    return derive(trace, sibling, at, key);
  }
  return std::nullopt;
}

}  // namespace

std::vector<Rehearsal> rehearsals(const Trace& trace, const EscapeMask& escapes, const FamilyPlan& plan) {
  std::vector<Rehearsal> found;
  if (plan.siblings.empty()) return found;
  const GroupedTrace at_hand{&trace, &plan.planned.grouping};
  const auto add = [&](Trace other, const Grouping& grouping, std::vector<GroupedTrace> siblings) {
    siblings.push_back(at_hand);
    if (auto planned = plan_grouped(other, escapes, grouping, siblings))
      found.push_back({std::move(other), std::move(*planned)});
  };
  for (const auto& sibling : plan.siblings) add(sibling->trace, sibling->grouping, views(plan.siblings));
  for (const std::int64_t size : {3, 17}) {
    auto other = at_size(trace, plan.siblings[0]->trace, size);
    if (!other) continue;
    if (const auto grouping = group_like(*other, at_hand)) add(std::move(*other), *grouping, views(plan.siblings));
  }
  return found;
}

// Null where there is none yet.
Families::Family* Families::find(const Trace& trace, const EscapeMask& escapes) {
  const auto found = std::find_if(families_.begin(), families_.end(), [&](const Family& family) {
    return family.escapes == escapes && same_family(family.members[0]->trace.keys, trace.keys);
  });
  if (found == families_.end()) return nullptr;
  families_.splice(families_.begin(), families_, found);
  return &families_.front();
}

FamilyPlan Families::plan(const Trace& trace, const EscapeMask& escapes) {
  Siblings members;
  std::vector<Program> programs;
  {
    const std::lock_guard lock(mutex_);
    if (const Family* family = find(trace, escapes)) {
      members = family->members;
      programs = family->programs;
    }
  }
  FamilyPlan result;
  if (members.empty()) {
    result.planned = plan_groups(trace, escapes);
    return result;
  }
  if (auto planned = plan_like(trace, escapes, members)) {
    result.planned = std::move(*planned);
    result.siblings = std::move(members);
    // It may have numbers of its own where the members agree.
    result.tells =
        !std::ranges::equal(result.planned.distinct, programs, {}, [](const Program* p) -> const Program& { return *p; });
    return result;
  }
  result.planned = plan_groups(trace, escapes);
  // Extents that are equal by chance may have let earlier members be grouped in a way that this one cannot: perhaps they can be
  // grouped like this one.
  if (auto siblings = regroup(members, {&trace, &result.planned.grouping})) {
    if (auto planned = plan_grouped(trace, escapes, result.planned.grouping, views(*siblings))) {
      result.planned = std::move(*planned);
      result.siblings = std::move(*siblings);
    }
  }
  return result;
}

void Families::remember(const Trace& trace, const EscapeMask& escapes, const FamilyPlan& plan) {
  if (!plan.tells) return;
  Family now{escapes, plan.siblings, {}};  // whole before it takes its place: memory may run out on the way
  if (now.members.size() == kMembers) now.members.pop_back();
  now.members.push_back(std::make_shared<FamilyPlan::Sibling>(FamilyPlan::Sibling{trace, plan.planned.grouping}));
  for (const Program* program : plan.planned.distinct) now.programs.push_back(*program);
  const std::lock_guard lock(mutex_);
  if (Family* family = find(trace, escapes)) {
    *family = std::move(now);
    return;
  }
  families_.push_front(std::move(now));
  if (families_.size() > kMost) families_.pop_back();
}

void Families::clear() {
  const std::lock_guard lock(mutex_);
  families_.clear();
}

}  // namespace swage::jit
