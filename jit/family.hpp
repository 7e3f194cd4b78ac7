// Code for families of traces (runtime/trace/family.hpp). The first trace of a family is compiled for its own numbers. What a
// second one has otherwise becomes symbols, and from then on traces of the family find code that is there already.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include <jit/groups.hpp>

namespace swage::jit {

// A trace's groups, and those of the siblings that it shares code with.
struct FamilyPlan {
  PlannedGroups planned;
  struct Sibling {
    Trace trace;
    Grouping grouping;
  };
  std::vector<std::shared_ptr<const Sibling>> siblings;
  bool tells = true;  // later traces of the family should be planned with this one in mind
};

// Another trace of the family, with programs that ask for the same code.
struct Rehearsal {
  Trace trace;
  PlannedGroups planned;
};
// What the code of a plan with symbols is tried on, beside its own trace: the siblings, and sizes that follow from them, below and
// above the width of a vector.
std::vector<Rehearsal> rehearsals(const Trace& trace, const EscapeMask& escapes, const FamilyPlan& plan);

// Thread-safe.
class Families {
 public:
  static constexpr std::size_t kMost = 256;   // least recently used goes first
  static constexpr std::size_t kMembers = 4;  // of a family: as many as it took to see which numbers differ

  FamilyPlan plan(const Trace& trace, const EscapeMask& escapes);
  // There is code for this plan now.
  void remember(const Trace& trace, const EscapeMask& escapes, const FamilyPlan& plan);
  void clear();

 private:
  struct Family {
    EscapeMask escapes;
    std::vector<std::shared_ptr<const FamilyPlan::Sibling>> members;
    std::vector<Program> programs;  // of the latest member
  };
  Family* find(const Trace& trace, const EscapeMask& escapes);

  std::mutex mutex_;
  std::list<Family> families_;  // latest use first
};

}  // namespace swage::jit
