// Runs a graph, group by group. Each group is a window of its own: one of the same program and size is the same trace, whatever the structure
// around it, so a structure never seen runs on plans of known groups.
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
  DescId desc = 0;
  std::int64_t rows = 0, width = 0;
  Tensor data;  // capacity × width
  Tensor grad;  // likewise, during a backward pass; undefined where none flows
};

// A shared value that a gradient flows to.
struct SharedUse {
  Tensor outer;  // as the program around the graph knows it: an operand of the root
  Tensor plain;  // the same numbers, without a tape
  // Its uses as a matrix of a product, or as a table of which rows are taken: what the products' rows or the rows' numbers were, and their
  // gradients, each use at its own place.
  std::int64_t product_rows = 0, table_rows = 0;  // of all groups
  Tensor product_inputs, product_grads;
  Tensor table_index, table_grads;
  bool broadcast = false;  // also used otherwise
  Tensor sum;              // the gradient of those uses
  Tensor gradient;         // of all, once a pass is through
};

struct GroupTape {
  std::uint32_t group = 0;
  struct Result {
    autograd::Edge edge;  // in the shape that it was computed in
    bool rows;            // one an instance; else one for all
    std::int32_t pool;
    std::int64_t row;
  };
  struct Leaf {
    Tensor tensor;
    std::int32_t of;  // input of the group; shared use
  };
  std::vector<Result> results;
  std::vector<Leaf> inputs, shared;
  std::vector<std::int32_t> producers;  // tapes of the groups that its inputs come from
};

// Of one graph, for as long as its tape lives.
struct Tape {
  std::shared_ptr<const Schedule> schedule;
  std::vector<Pool> pools;
  std::vector<SharedUse> shared;
  std::vector<GroupTape> groups;
  struct Outside {
    Tensor tensor;
    std::int32_t pool;
    std::int64_t row;
  };
  std::vector<Outside> outside;
  Tensor index;
  Tensor token;               // a leaf, so that what leads to shared values alone is visited
  std::vector<bool> reached;  // by a gradient, in the running pass
  bool running = false;

  void begin_pass();
  void add_gradient(std::int32_t pool, std::int64_t row, const Tensor& gradient, std::int32_t tape);
  void run_backward();
  void free() noexcept;

 private:
  void run_group_backward(const GroupTape& tape);
  static Tensor gradient_of(const SharedUse& use);
};

// Makes `result`, a value that lives on, lead to the root.
void attach_result(Tensor& result, const std::shared_ptr<Tape>& tape, const Tensor& root, std::int32_t pool, std::int64_t row,
                   std::int32_t group_tape);
// The root of a tape: a tensor of its own, which the results' nodes refer to.
Tensor make_root(const std::shared_ptr<Tape>& tape);

// a · w with w shared: w's gradient is not computed here; what it needs goes into the tape's rows from `row` on.
Tensor shared_product(Tape& tape, std::int32_t use, std::int64_t row, const Tensor& a);
// Rows of w by number, likewise.
Tensor shared_rows(Tape& tape, std::int32_t use, std::int64_t row, const Tensor& index);

// Computes all values of the graph; those whose handles live on get their numbers.
void run(Graph& graph);
void poison(Graph& graph) noexcept;

// Rows first … first + n of a pool, as a matrix.
Tensor rows_of(const Tensor& matrix, std::int64_t first, std::int64_t n);
// Memory of a pool's shape; what it holds is not defined.
Tensor uninitialised(std::int64_t rows, std::int64_t width, DType dtype);

struct BatchStats {
  std::uint64_t graphs = 0, instances = 0, groups = 0;
  std::uint64_t schedule_ns = 0, run_ns = 0;
};
BatchStats& batch_stats();  // of this thread

}  // namespace swage::grouping
