// Runs a graph, group by group. Each group is a window of its own: one of the same program and size is the same trace, whatever the structure
// around it, so a structure never seen runs on plans of known groups. A group whose trace has a plan is not called op by op again:
// its window is run as a whole (replay.hpp).
//
// Differentiation: inside a group the ops go onto a tape of the group's own, which begins at its inputs. To the rest of the program the graph
// is one node, the root, whose operands are the shared values that require a gradient and such values from outside; every result that lives
// on has a node that leads there. When the root's turn comes, the results' gradients stand in pools like the values'; the groups run
// their tapes in the opposite order, each in a window of its own, and the gradient of a shared matrix is one product over the rows of all its
// uses. A second-order pass through a graph is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <swage/autograd/node.hpp>
#include <swage/batch/rules.hpp>
#include <swage/batch/schedule.hpp>

namespace swage::grouping {

struct Pool {
  DescId desc = 0;  // of a row
  std::int64_t rows = 0, width = 0;
  Tensor data;  // capacity × width
  Tensor grad;  // likewise, during a backward pass; undefined where none flows
};

// A shared value that a gradient flows to.
struct SharedUse {
  Tensor outer;               // as the program around the graph knows it: an operand of the root
  Tensor plain;               // the same numbers, without a tape
  std::uint32_t version = 0;  // of its storage, when the graph had run
  // Its uses as a matrix of a product, or as a table of which rows are taken: what the products' rows or the rows' numbers were, and their
  // gradients, each use at its own place.
  std::int64_t product_rows = 0, table_rows = 0;  // of all groups
  Tensor product_inputs, product_grads;
  Tensor table_index, table_grads;
  bool broadcast = false;  // also used otherwise
  Tensor sum;              // the gradient of those uses
  Tensor gradient;         // of all, once a pass is through
};

// What a program is in one graph: its shared values, computed once, and where those that need a gradient are used.
struct Prepared {
  std::shared_ptr<const CellProgram> program;
  std::vector<Lane> shared;              // its shared values
  std::vector<Lane> once;                // by op: results of ops without rows
  std::vector<std::int32_t> shared_use;  // by shared value; −1: no gradient
  std::vector<std::int32_t> once_use;    // by op, likewise
  struct Site {
    std::int32_t use = -1;
    bool table = false;
    bool live = false;      // some result that requires a gradient follows from it
    std::int64_t rows = 0;  // of one instance
  };
  std::vector<Site> sites;  // by op

  Lane lane_of(OperandRef ref) const;         // of a shared value or an op without rows
  std::int32_t use_of(OperandRef ref) const;  // −1: none
};

// A group of the graph as it runs, and the tape that it leaves.
struct GroupRun {
  std::uint32_t group = 0;
  const Prepared* ready = nullptr;
  bool grad = false;
  std::vector<Tensor> outside;           // by input: values from outside, side by side; undefined where they come from a pool
  std::vector<std::int64_t> site_first;  // by op: where its rows begin among all uses

  struct Result {
    autograd::Edge edge;  // in the shape that it was computed in
    bool rows;            // one an instance; else one for all
    std::int32_t result;
  };
  struct Leaf {
    Tensor tensor;
    std::int32_t of;  // input of the group; shared use
  };
  std::vector<Result> results;
  std::vector<Leaf> inputs, shared;
  std::vector<std::int32_t> producers;  // groups that its inputs come from

  // Where the group was run as a whole: the values that its window has left for the backward pass. Otherwise these values' addresses.
  bool whole = false;
  std::vector<Tensor> saved;
  std::vector<const Value*> alive;
  std::shared_ptr<struct GroupTemplate> by;  // how it ran, or may run the next time
};

// Of one graph, for as long as its tape lives.
struct Tape {
  std::shared_ptr<const Schedule> schedule;
  std::vector<Pool> pools;
  std::vector<SharedUse> shared;
  std::vector<std::unique_ptr<Prepared>> prepared;
  std::vector<GroupRun> groups;
  struct Outside {
    Tensor tensor;
    std::int32_t pool;
    std::int64_t row;
  };
  std::vector<Outside> outside;
  Tensor index;
  Tensor token;               // a leaf, so that what leads to shared values alone is visited
  std::vector<bool> reached;  // groups, by a gradient, in the running pass
  bool running = false;

  const Group& group_of(const GroupRun& run) const { return schedule->groups[run.group]; }
  const GroupInput& input_of(const GroupRun& run, std::size_t k) const {
    return schedule->inputs[group_of(run).first_input + k];
  }
  const Pool& pool_of_input(const GroupRun& run, std::size_t k) const {
    return pools[static_cast<std::size_t>(input_of(run, k).pool)];
  }
  const Pool& pool_of_result(const GroupRun& run, std::size_t j) const {
    return pools[static_cast<std::size_t>(schedule->result_pools[group_of(run).first_row + j])];
  }
  std::int64_t row_of_result(const GroupRun& run, std::size_t j) const {
    return schedule->result_rows[group_of(run).first_row + j];
  }

  void begin_pass();
  void add_gradient(std::int32_t pool, std::int64_t row, const Tensor& gradient, std::int32_t group);
  void run_backward();
  void free() noexcept;

 private:
  void clear_uses(const GroupRun& run, bool all) const;
  static Tensor gradient_of(const SharedUse& use);
};

// The window of a group, op by op; the caller cuts it. The tape of the group goes where it runs.
void call_group(Tape& tape, GroupRun& run);
void call_group_backward(Tape& tape, GroupRun& run);

// Makes `result`, a value that lives on, lead to the root.
void attach_result(Tensor& result, const std::shared_ptr<Tape>& tape, const Tensor& root, std::int32_t pool, std::int64_t row,
                   std::int32_t group);
// The root of a tape: a tensor of its own, which the results' nodes refer to.
Tensor make_root(const std::shared_ptr<Tape>& tape);

// Computes all values of the graph; those whose handles live on get their numbers.
void run(Graph& graph);
void poison(Graph& graph) noexcept;

// Memory of such a shape; what it holds is not defined.
Tensor uninitialised(std::int64_t rows, std::int64_t width, DType dtype);
char* row_address(const Tensor& matrix, std::int64_t row);

struct BatchStats {
  std::uint64_t graphs = 0, instances = 0, groups = 0;
  std::uint64_t whole = 0;  // windows that were run as a whole
  std::uint64_t schedule_ns = 0, run_ns = 0;
};
BatchStats& batch_stats();  // of this thread

}  // namespace swage::grouping
