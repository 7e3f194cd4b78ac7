// In what order the instances of a graph run, and where their values lie. Instances of one program that do not depend on each other run as
// one group. What no other program waits for, such as losses, comes last, when all of it is ready: programs run in stages, where a stage are
// programs that take each other's results in turn. Among the programs of a stage that have instances ready, the next is the one whose waiting
// instances are shallowest on average, ties going to the one that was called first: the agenda of DyNet (Neubig, Goldberg and Dyer, "On-the-fly
// operation batching in dynamic computation graphs", NIPS 2017). The order depends on the graph alone, so it is the same in every tier.
//
// Results lie in pools, one for each shape and type, a row a value; a group writes consecutive rows. An input whose rows are consecutive
// is read where it lies; the rows of any other are gathered.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <swage/batch/graph.hpp>

namespace swage::grouping {

struct GroupInput {
  enum Kind : std::uint8_t {
    in_place,  // rows first … first + count of the pool
    gathered,  // rows index[first …]
    staged,    // values from outside, one an instance, put side by side
    same,      // one value from outside for all instances
  };
  Kind kind = in_place;
  std::int32_t pool = 0;
  std::int64_t first = 0;
};

struct Group {
  std::uint32_t first = 0, count = 0;  // instances, in Schedule::order
  std::uint32_t first_input = 0;       // in Schedule::inputs, one for each of the program's (one in all where it is variadic)
  std::uint32_t first_row = 0;         // in Schedule::result_rows, one for each result: where the group's rows begin
};

struct PoolLayout {
  DescId desc = 0;  // of a row
  std::int64_t rows = 0;
  bool grad = false;
};

struct Schedule {
  std::vector<std::int32_t> order;  // instances
  std::vector<Group> groups;
  std::vector<GroupInput> inputs;
  std::vector<std::int64_t> result_rows;
  std::vector<std::int32_t> result_pools;
  std::vector<PoolLayout> pools;
  std::vector<std::int32_t> pool_of;  // by OutId; −1: of none
  std::vector<std::int32_t> row_of;
  std::vector<std::int64_t> index;  // rows, for gathered inputs
};

// The largest group that runs as one, and how one of `n` is cut into such: sizes above 16 have three significant bits, so that few sizes
// occur.
std::int64_t largest_chunk(std::int64_t n);

Schedule make_schedule(const Graph& graph);
// The same, remembered by structure.
std::shared_ptr<const Schedule> schedule_of(const Graph& graph);

}  // namespace swage::grouping
