// Windows of groups that are run as a whole. What a group emits follows from its program, from how many instances it has and from how each
// input is to be had: the records are then the same but for the values that enter and for the rows at which views begin. So once a
// group's trace has a plan, the window is remembered as a template: which of the graph's tensors each input is, and which of the group's
// row numbers each view starts at. The next group of the kind fills it in, and neither its ops nor their gradients are called.
//
// What a forward window leaves for its backward pass is known by its record; a forward template is used once there is one for the backward
// pass too.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <runtime/engine/stream.hpp>
#include <swage/batch/run.hpp>

namespace swage::grouping {

// A row number of a group.
struct Start {
  enum Kind : std::uint8_t { fixed, result, input, site };
  Kind kind = fixed;
  std::int32_t at = 0;  // the result, the input, the op
};

// Rows first … first + n of a matrix, where `first` is the group's `start`.
Tensor rows_of(const Tensor& matrix, std::int64_t first, std::int64_t n, Start start);

// A tensor of the graph, as a group sees it.
struct Source {
  enum Kind : std::uint8_t {
    input_pool,
    result_pool,
    input_grads,
    result_grads,
    index,
    outside,  // of an input
    plain,    // of a shared use, by place in the list of the program's; so the next five
    product_inputs,
    product_grads,
    table_index,
    table_grads,
    sum,
    shared,  // a shared value
    once,    // the result of an op without rows
    saved,   // by the forward window
  };
  Kind kind;
  std::int32_t at = 0;
};

struct WindowTemplate {
  std::shared_ptr<KnownTrace> path;
  std::vector<ValueHalf> halves;
  struct Input {
    RecordIndex record;
    DescId desc;
    Source source;
  };
  struct View {
    RecordIndex record, operand;
    std::int64_t fixed, stride;  // elements
    Start start;
  };
  std::vector<Input> inputs;
  std::vector<View> views;
  std::vector<MadeValue> made;
};

struct GroupTemplate {
  WindowTemplate forward;
  std::unique_ptr<WindowTemplate> backward;
};

// All templates of a program.
struct Templates {
  struct Entry {
    std::vector<std::uint64_t> key;
    std::shared_ptr<GroupTemplate> by;
  };
  std::vector<Entry> entries;
  void add(std::vector<std::uint64_t> key, std::shared_ptr<GroupTemplate> by);
};

// Runs the group's window and cuts it: as a whole if that can be, else op by op.
void run_group(Tape& tape, GroupRun& run);
void run_group_backward(Tape& tape, GroupRun& run);

}  // namespace swage::grouping
