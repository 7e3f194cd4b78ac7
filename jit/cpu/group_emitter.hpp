// The emitter of one group function. Its state is what the function knows at the point of emission: addresses of the current
// row, values that are constant along it, and values of the vector at the current position.
//
// A node has up to three values: `row_` (constant along the row; a scalar, or a vector of columns), `splats_` (the same, ready
// for use along the row) and `chunk_` (of the vector at hand). Reductions turn the last into the first, pass by pass.
#pragma once

#include <functional>

#include <mlir/Dialect/LLVMIR/LLVMDialect.h>

#include <jit/cpu/memory.hpp>
#include <jit/program.hpp>

namespace swage::jit {

class GroupEmitter {
 public:
  GroupEmitter(mlir::OpBuilder& builder, mlir::LLVM::LLVMFuncOp function, const Program& program, bool masked_loops);
  void run();

 private:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<Value>;
  using Body = std::function<Values(Value, mlir::ValueRange)>;
  using Nodes = llvm::SmallVector<int>;

  // Loops (emit.cpp).
  Values loop(Value begin, Value end, std::int64_t step, const Values& carried, const Body& body);
  void loop(Value begin, Value end, std::int64_t step, const std::function<void(Value)>& body);
  void flat(Value begin, Value end);

  // Numbers of the program: constants, or symbols read at the entry (symbols.cpp).
  void load_symbols();
  Value number(std::int64_t n) const;
  Value times(Value a, std::int64_t n) const;
  Value quotient(Value a, std::int64_t n) const;
  Value rest_of(Value a, std::int64_t n) const;
  Value product(const Dims& numbers) const;
  bool row_varies() const { return n_ < 0; }
  bool many_blocks() const { return row_varies() || program_.blocks() > 1; }
  Value row_elements() const;
  Value blocks() const;  // of the reduction tree, in a row
  Value times_blocks(Value a) const;
  std::pair<Value, Value> by_blocks(Value a) const;  // quotient and remainder
  std::pair<Value, Value> by_strips(Value a) const;  // the same by the strips of one outer position

  // Positions and addresses (emit.cpp).
  Values positions(Value index, const Dims& extents) const;
  Value offset_of(const Values& index, const Dims& strides) const;
  Value address(int pointer) const { return address(pointer, position_); }
  Value address(int pointer, const Values& position) const;
  std::int64_t lane_stride(const Pointer& pointer) const;
  Value mask_at(Value i);  // lanes of the vector at `i` that lie within the row

  // Values of a row (values.cpp).
  void uniform_values();
  void enter_row(const Values& outer, Value first_column);
  void ready_row_values();  // everything constant along the row whose operands are known by now
  void spread(std::size_t k);
  void store_row();
  void set_reduced(llvm::ArrayRef<int> reduces, const Values& results);
  mlir::Type row_type(DType dtype);

  // Values of a vector along the row (values.cpp).
  void start_chunk(Value index, Value mask);
  Value along(int k);
  Value load_along(const Node& node);
  void store_along(const Store& store, Value value);
  Value load_lanes(DType dtype, Value address, std::int64_t stride, Value mask, bool past_the_end = true);
  Value kept_address(int k);
  void store_chunk(int pass);
  template <class Arg>
  Value compute(const Node& node, Arg&& arg);

  // The fixed tree of runtime/ops/reduction_tree.hpp (tree.cpp). Lanes and blocks that get no element hold the neutral one,
  // which changes no bit.
  void allocate_scratch();
  Nodes reductions(int pass) const;
  bool idle(int pass) const;
  Value combine(int k, Value a, Value b, int lanes);
  Value neutral(int k);
  Value fold(int k, Value vector);
  void push_block(llvm::ArrayRef<int> reduces, Value block, const Values& results);
  Values pop_blocks(llvm::ArrayRef<int> reduces);
  Values pop_some_blocks(llvm::ArrayRef<int> reduces);
  Value stack_slot(int k, Value level);

  // Split programs: what one unit leaves, and what the last call makes of it (tree.cpp).
  void units(Value begin, Value end);
  void one_result(Value result);
  Value partial_slot(std::size_t reduction, Value unit);
  void store_partials(llvm::ArrayRef<int> reduces, const Values& results);
  Values combined_partials(llvm::ArrayRef<int> reduces);

  // Vectors along the row (rows.cpp).
  void one_row(Value row);
  void pass_over_row(int pass);
  Values choose(Value condition, const Values& carried, const std::function<Values(const Values&)>& body);

  // Vectors across rows (columns.cpp).
  void one_strip(Value strip);
  Value lane_slot(int k, Value lane);
  Value fold_columns(int k);

  const Node& node(int k) const { return program_.nodes[static_cast<std::size_t>(k)]; }
  const Pointer& pointer_of(const Store& store) const { return program_.pointers[static_cast<std::size_t>(store.pointer)]; }

  const Program& program_;
  bool masked_loops_;  // one masked loop costs nothing to run, and is half the code of a loop and a tail
  mlir::OpBuilder& builder_;
  mlir::Location location_;
  mlir::Block& entry_;
  int row_lanes_;
  std::int64_t n_;  // elements of a row; negative where only the run knows
  int pass_ = 0;
  Values symbols_;
  Value varying_n_, varying_blocks_;

  Values bases_, bases_of_row_;  // by pointer
  Values row_, splats_, chunk_;  // by node
  std::vector<bool> uniform_;    // by node: the same for all rows
  Values position_;              // along the row
  Value linear_;                 // the same as one number
  Value mask_, row_mask_;
  // Where vectors straddle: the position that the lanes of `beyond_` are counted from, and how many lanes come before them.
  Values next_position_;
  Value beyond_, room_;
  Value column_;  // columns: the number of the vector in its strip
  // Split programs: the row or strip, and the block of it that alone is computed; none in the call that combines.
  Value result_, block_, partials_;
  Values stacks_, lanes_, kept_;  // by node: memory of reductions, and of values kept from pass to pass
};

bool moves(const Dims& strides);  // whether any is not zero

}  // namespace swage::jit
