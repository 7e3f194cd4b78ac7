// The families of known traces (runtime/trace/family.hpp) of a stream: who is of one family, and what the next member will be.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include <runtime/engine/known_trace.hpp>

namespace swage {

struct Family {
  static constexpr std::size_t kMembers = 8;  // that are asked, latest first
  std::vector<std::weak_ptr<KnownTrace>> members;
  std::uint32_t wrong = 0;        // predictions that came to nothing since the last one that was right
  std::uint32_t generations = 0;  // compilations for members that were not hot, but for their family
  // Plans that members got before they were hot: what they cost, what they saved, what the latest one cost.
  double spent_ns = 0, earned_ns = 0, last_ns = 0;
  double assembled_ns = 0;  // what the latest plan cost that was put together of known code; 0 before the first

  void paid(double ns) {
    spent_ns += ns;
    last_ns = ns;
  }

  // What a plan for one more member is expected to cost if its code is there; 0 where that is not to be expected.
  double assembly_ns() const;
  // A member that has a plan or is promised one, or null.
  std::shared_ptr<KnownTrace> planned() const;
};

// A trace that a program may be on, and the known one that it follows from.
struct Prediction {
  std::shared_ptr<KnownTrace> like;
  Trace trace;
};

class FamilyTable {
 public:
  // The family that a window with these keys would be of; null where it would be the first. `hash`: their `family_hash`.
  std::shared_ptr<Family> find(std::span<const KeyHalf> keys, std::uint64_t hash) const;
  // Makes the trace a member of its family, the latest one.
  void join(const std::shared_ptr<KnownTrace>& known);
  // How the window may go on that began with `prefix` and has `got`, an input, next: one prediction a family.
  std::vector<Prediction> predict(std::span<const KeyHalf> prefix, const KeyHalf& got) const;
  void forget_expired();
  void clear() { *this = {}; }

 private:
  static constexpr std::size_t kWatched = 16;  // families that predictions are made from: the ones that grew last

  std::unordered_multimap<std::uint64_t, std::weak_ptr<Family>> by_hash_;
  std::vector<std::weak_ptr<Family>> watched_;
};

}  // namespace swage
