// The emitter of one kernel. Programs without reductions compute one element a thread. With reductions, a row (or column) is
// the work of a team of threads: 16 for each block of the reduction tree that is walked at a time, one a lane. The tree is that
// of runtime/ops/reduction_tree.hpp, so the bits are those of the CPU.
#pragma once

#include <functional>

#include <mlir/Dialect/EmitC/IR/EmitC.h>

#include <jit/cuda/device.hpp>
#include <jit/cuda/kernel.hpp>
#include <jit/program.hpp>

namespace swage::jit::cuda {

class KernelEmitter {
 public:
  KernelEmitter(mlir::OpBuilder& builder, mlir::emitc::FuncOp function, const Program& program);
  // Emits the body; what is known about the kernel but its name.
  Kernel run();

 private:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<Value>;
  using Nodes = llvm::SmallVector<int>;

  // Control flow (emit.cpp).
  Values loop(Value begin, Value end, Value step, const Values& carried,
              const std::function<Values(Value, mlir::ValueRange)>& body);
  void loop(Value begin, Value end, Value step, const std::function<void(Value)>& body);
  void only_if(Value condition, const std::function<void()>& body);

  // Positions (emit.cpp). A null offset is 0.
  static Values positions(Value index, const Dims& extents);
  static Value offset_of(Value start, const Values& index, const Dims& strides);
  Value index_of(int pointer) const;  // of the element at hand
  void enter_row(Value row);
  void start_element(Value index);

  // Values of nodes (emit.cpp).
  void find_needed();
  void uniform_values();
  void ready_row_values();  // everything constant along the row whose operands are known by now
  Value value(int k);       // at the element at hand
  Value compute(int k, const std::function<Value(int)>& arg);
  bool stored_along(const Store& store) const;
  void store_elements(int pass);

  void elements(Value first, Value step);  // the whole kernel, without reductions

  // Teams and rows (rows.cpp).
  void arrange_teams();
  void all_rows();
  void pass_over_row(int pass);
  Nodes reductions(int pass) const;
  Values reduce_round(const Nodes& reduces, int pass, Value round);  // one result a reduction, for all threads of the team
  void fold(const Nodes& reduces, Value takes_part, std::int64_t distance);
  void push_round(const Nodes& reduces, Value round, const Values& results);
  Values pop_rounds(const Nodes& reduces);
  void store_row();

  const Node& node(int k) const { return program_.nodes[static_cast<std::size_t>(k)]; }

  const Program& program_;
  mlir::OpBuilder& builder_;
  mlir::Location location_;
  mlir::Block& entry_;
  std::int64_t n_;  // elements of a row

  std::vector<bool> needed_;   // by node
  Values row_;                 // by node: constant along the row
  std::vector<bool> uniform_;  // by node: the same for all rows
  Values here_;                // by node: at the element at hand
  Values row_offsets_;         // by pointer
  Values position_;            // along the row

  // Rows: what a thread is in its team. Teams that have no row left compute the last one again and store nothing.
  std::int64_t rows_ = 0, teams_ = 1, groups_ = 1, rounds_ = 1;  // groups: blocks of the tree that a team walks at a time
  Value team_, member_, lane_, group_, slot_, active_;
  Values lanes_, stacks_;  // by node: shared memory of reductions
};

}  // namespace swage::jit::cuda
