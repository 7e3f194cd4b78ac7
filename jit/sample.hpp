// A part of a large group: some consecutive units, and a box of the group's space around what they compute.
#pragma once

#include <cstdint>

#include <jit/program.hpp>

namespace swage::jit {

struct Sample {
  Dims begin, extents;  // the box; reduced dimensions are whole
  std::int64_t first_unit = 0, last_unit = 0;
  std::int64_t first = 0, last = 0;  // what these units compute, as positions in BoundProgram::order
  Dims steps;                        // by dimension of the space: its stride in such positions
};

// Around position `at`, about `elements` large, more where one unit is.
Sample take_sample(const Space& space, const BoundProgram& bound, std::int64_t at, std::int64_t elements);

}  // namespace swage::jit
