// A stretch of a known path that follows from what stands before it, and is appended at once: the backward pass of a window. The engine
// keeps it beside its trace; what it follows from is for the frontend to say and to compare (frontend/swage/autograd/macro.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <runtime/trace/trace.hpp>

namespace swage {

struct KnownTrace;

struct MacroRecord {
  RecordIndex begin = 0, end = 0;  // its records on the trace
  std::vector<std::uint64_t> key;  // compared whole
  // Where its records are not on the trace that keeps it but on one that parts from it at `begin` (the same program before was run
  // without a backward pass, or with another): that one.
  bool parts = false;
  std::weak_ptr<KnownTrace> other;

  // A scalar slot that repeats the one of an earlier record.
  struct Scalar {
    RecordIndex to, from;
  };
  // A view record: where it starts, given where its operand starts. `moves_with`: an earlier narrow whose start it takes over, or none.
  // `as`: an earlier view that it begins with, wherever that is, or none.
  struct Start {
    static constexpr RecordIndex kFixed = ~RecordIndex{0};
    RecordIndex to;
    std::int64_t fixed;  // elements
    RecordIndex moves_with = kFixed, as = kFixed;
    std::int64_t stride = 0, its_stride = 0;  // of this record and of the earlier one, along the dimension
  };
  // Views of one storage that the pass took for one, since they lay behind each other: its records fit only where they do.
  struct Adjoining {
    RecordIndex first, other;
    std::int64_t distance;  // elements
  };
  // A value that lives on after the stretch, as it stands then. Owners come before their views.
  struct Made {
    RecordIndex record;            // that it is tagged with
    RecordIndex storage, written;  // owners: first and last record
    std::int32_t base = -1;        // views: the owner's place in this list
    std::uint32_t version = 0;
    DescId desc = 0;
  };
  // A leaf, by the record that it is tagged with, and its gradient, by its place in `made`.
  struct Gradient {
    RecordIndex leaf;
    std::uint32_t made;
  };
  std::vector<Scalar> scalars;
  std::vector<Start> starts;  // in order of `to`
  std::vector<Adjoining> adjoining;
  std::vector<Made> made;
  std::vector<Gradient> gradients;

  std::size_t bytes() const {
    return sizeof(MacroRecord) + key.size() * 8 + scalars.size() * sizeof(Scalar) + starts.size() * sizeof(Start) +
           adjoining.size() * sizeof(Adjoining) + made.size() * sizeof(Made) + gradients.size() * sizeof(Gradient);
  }
};

}  // namespace swage
