// What a batch scope has collected: instances of programs, and the values that pass between them.
#pragma once

#include <cstdint>
#include <vector>

#include <swage/batch/program.hpp>

namespace swage::grouping {

using OutId = std::int32_t;

// A value of the graph: the result of an instance, or a value from outside that an instance takes as its own.
struct Out {
  Tensor tensor;  // collected: the handle's value, as yet without numbers; from outside: with them
  DescId desc = 0;
  std::int32_t instance = -1;  // that makes it; −1: from outside
  bool grad = false;
  bool viewed = false;  // another value is a view of it, or it is one: not to be written in place
};

struct Instance {
  CellProgram* program = nullptr;
  std::uint32_t first_input = 0, n_inputs = 0;  // in Graph::inputs
  OutId first_out = 0;
  std::int32_t depth = 0;  // longest way from a value from outside
};

struct Graph {
  std::uint64_t serial = 0;
  std::vector<Out> outs;
  std::vector<Instance> instances;
  std::vector<OutId> inputs;
  bool grad = false;  // some result is differentiated

  std::span<const OutId> inputs_of(const Instance& instance) const {
    return {inputs.data() + instance.first_input, instance.n_inputs};
  }
  bool empty() const { return instances.empty(); }
};

}  // namespace swage::grouping
