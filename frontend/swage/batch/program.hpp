// What one instance of a repeated part does, without its values: the ops of a cell, or a single op. Two instances with the same program
// can run as one, row by row.
//
// Operands are inputs (one value an instance), shared values (the same for all: parameters, and whatever a cell captures) or results of
// earlier ops of the program. An op all of whose operands are shared runs once for all instances; the others run on rows, with the
// instances along a new first dimension (rules.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <runtime/engine/stream.hpp>
#include <runtime/ops/attributes.hpp>
#include <runtime/ops/op.hpp>
#include <swage/tensor.hpp>

namespace swage::grouping {

// Ops of the frontend that have gradients of their own, or any number of operands.
enum class Composite : std::uint8_t {
  none,
  softmax,        // attribute: {dimension}
  layer_norm,     // the normalised extents; real = eps
  gelu,           //
  cross_entropy,  // logits (N,C), targets (N); a value a row
  cat,            // {dimension}
  sum_of,         // of values alike, any number; programs of its own only
};

struct OperandRef {
  enum Kind : std::uint8_t { input, shared, local, slot, literal };
  Kind kind = input;
  std::int32_t index = 0;  // of the input, the shared value, the op
  friend bool operator==(const OperandRef&, const OperandRef&) = default;
};

struct BodyOp {
  Op op = Op::none;
  Composite composite = Composite::none;
  bool tape = false;  // called with differentiation on
  bool rows = false;  // depends on an input
  DType scalar_class = DType::f64;
  AttrId attr = 0;
  DescId result = 0;                   // of one instance
  std::uint32_t first = 0, count = 0;  // operands, in CellProgram::operands
  ScalarValue scalar{};
  std::int64_t start = 0;
  CallSite site;
};

struct CellProgram : std::enable_shared_from_this<CellProgram> {
  std::string name;  // of the cell, or of the op
  std::uint32_t id = 0;
  std::vector<BodyOp> ops;
  std::vector<OperandRef> operands;
  std::vector<DescId> inputs;
  std::vector<bool> input_grad;  // whether a gradient flows into it
  std::vector<OperandRef> outputs;
  std::vector<DescId> results;
  std::vector<bool> result_grad;
  std::size_t n_shared = 0;
  bool variadic = false;  // sum_of: all inputs are alike

  // The shared values of the graph that is being collected; which graph that is.
  std::vector<Tensor> shared;
  std::uint64_t bound_to = 0;

  mutable std::shared_ptr<struct Templates> templates;  // how its groups have run (replay.hpp)

  // All of the above but names, call sites and values, in words: programs with equal keys are one.
  std::vector<std::uint64_t> key;

  std::span<const OperandRef> operands_of(const BodyOp& op) const { return {operands.data() + op.first, op.count}; }
};

// What makes two shared values the same.
struct SharedIdentity {
  const Value* owner = nullptr;
  std::int64_t offset = 0;
  DescId desc = 0;
  bool grad = false;
  const Value* leaf = nullptr;  // leaves that require a gradient: itself
  explicit SharedIdentity(const Value& value);
  friend bool operator==(const SharedIdentity&, const SharedIdentity&) = default;
};

// Builds a program op by op.
class ProgramBuilder {
 public:
  OperandRef add_input(DescId desc, bool grad);
  OperandRef add_shared(const Tensor& tensor);  // the same again where it is known already
  // Operands are added before the op that takes them.
  void operand(OperandRef ref) { program_.operands.push_back(ref); }
  // Fills in first, count and rows. Gives the op's result.
  OperandRef add_op(BodyOp op, std::size_t n_operands, bool grad);
  void add_output(OperandRef ref);

  DescId desc_of_ref(OperandRef ref) const;
  bool grad_of(OperandRef ref) const;
  std::size_t n_inputs() const { return program_.inputs.size(); }
  std::span<const Tensor> shared() const { return program_.shared; }

  // The one program like this, made if there is none; the shared values come back in `shared()`.
  CellProgram& finish(std::string name, bool variadic = false);
  std::shared_ptr<CellProgram> finished() const { return finished_; }

 private:
  CellProgram program_;
  std::vector<SharedIdentity> identities_;
  std::vector<bool> local_grad_;
  std::shared_ptr<CellProgram> finished_;
};

// Where a graph may be forgotten: drops programs once there are too many; those that are held elsewhere live on.
void bound_programs();

}  // namespace swage::grouping
