#include <runtime/engine/family.hpp>

#include <algorithm>

#include <runtime/trace/derive.hpp>
#include <runtime/trace/family.hpp>

namespace swage {
namespace {

// Puts the pointer first; the last one goes where there are more than `most`.
template <class T>
void put_first(std::vector<std::weak_ptr<T>>& list, const std::shared_ptr<T>& item, std::size_t most) {
  std::erase_if(list, [&](const std::weak_ptr<T>& entry) {
    const std::shared_ptr<T> other = entry.lock();
    return !other || other == item;
  });
  if (list.size() == most) list.pop_back();
  list.insert(list.begin(), item);
}

std::vector<std::shared_ptr<KnownTrace>> living(const Family& family) {
  std::vector<std::shared_ptr<KnownTrace>> members;
  for (const auto& member : family.members)
    if (auto known = member.lock(); known && !known->dropped) members.push_back(std::move(known));
  return members;
}

bool starts_with(const Trace& trace, std::span<const KeyHalf> prefix) {
  return trace.size() > prefix.size() && std::ranges::equal(prefix, std::span(trace.keys).first(prefix.size()));
}

// Two members that have the prefix and then part tell a third.
std::optional<Prediction> predict_from(const Family& family, std::span<const KeyHalf> prefix, const KeyHalf& got) {
  const auto at = static_cast<RecordIndex>(prefix.size());
  const auto members = living(family);
  for (std::size_t i = 0; i < members.size(); ++i) {
    const KnownTrace& a = *members[i];
    if (!a.counted() || !starts_with(a.trace, prefix) || !same_family({&a.trace.keys[at], 1}, {&got, 1})) continue;
    for (std::size_t k = 0; k < members.size(); ++k) {
      if (k == i || first_difference(a.trace, members[k]->trace) != at) continue;
      auto trace = derive(a.trace, members[k]->trace, at, got);
      if (trace) return Prediction{members[i], std::move(*trace)};
      break;
    }
  }
  return std::nullopt;
}

}  // namespace

double Family::assembly_ns() const {
  constexpr double kAtFirst = 2e6;
  constexpr int kGeneralised = 2;  // members with plans: code is made for any size when there is a second one
  if (assembled_ns > 0) return assembled_ns;
  int planned = 0;
  for (const auto& known : living(*this)) planned += known->counted();
  return planned >= kGeneralised ? kAtFirst : 0;
}

std::shared_ptr<KnownTrace> Family::planned() const {
  for (auto& known : living(*this))
    if (known->counted()) return known;
  return nullptr;
}

std::shared_ptr<Family> FamilyTable::find(std::span<const KeyHalf> keys, std::uint64_t hash) const {
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto entry = first; entry != last; ++entry) {
    std::shared_ptr<Family> family = entry->second.lock();
    if (!family) continue;
    const auto members = living(*family);
    if (!members.empty() && same_family(members[0]->trace.keys, keys)) return family;
  }
  return nullptr;
}

void FamilyTable::join(const std::shared_ptr<KnownTrace>& known) {
  const std::uint64_t hash = family_hash(known->trace.keys);
  known->family = find(known->trace.keys, hash);
  if (!known->family) {
    known->family = std::make_shared<Family>();
    by_hash_.emplace(hash, known->family);
  }
  put_first(known->family->members, known, Family::kMembers);
  if (known->family->members.size() > 1) put_first(watched_, known->family, kWatched);
}

std::vector<Prediction> FamilyTable::predict(std::span<const KeyHalf> prefix, const KeyHalf& got) const {
  constexpr std::uint32_t kPatience = 4;
  std::vector<Prediction> predictions;
  for (const auto& entry : watched_) {
    const std::shared_ptr<Family> family = entry.lock();
    if (!family || family->wrong >= kPatience) continue;
    if (auto prediction = predict_from(*family, prefix, got)) predictions.push_back(std::move(*prediction));
  }
  return predictions;
}

void FamilyTable::forget_expired() {
  std::erase_if(by_hash_, [](const auto& entry) { return entry.second.expired(); });
}

}  // namespace swage
