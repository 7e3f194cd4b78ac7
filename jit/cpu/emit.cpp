#include <jit/cpu/emit.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include <mlir/Dialect/LLVMIR/LLVMDialect.h>
#include <mlir/Dialect/SCF/IR/SCF.h>

#include <jit/cpu/memory.hpp>
#include <runtime/core/error.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage::jit {
namespace {

using mlir::Value;
using Values = llvm::SmallVector<Value>;

bool moves(const Dims& strides) {
  return std::any_of(strides.begin(), strides.end(), [](std::int64_t stride) { return stride != 0; });
}

class GroupEmitter {
 public:
  GroupEmitter(mlir::OpBuilder& builder, mlir::LLVM::LLVMFuncOp function, const Program& program, bool masked_loops)
      : program_(program),
        masked_loops_(masked_loops),
        builder_(builder),
        location_(function.getLoc()),
        entry_(*function.addEntryBlock(builder)),
        row_lanes_(program.form == Form::columns ? kLanes : 1),
        n_(program.inner.product()) {}

  void run() {
    builder_.setInsertionPointToStart(&entry_);
    const EmitScope scope(builder_, location_, 1);
    const Value pointers = entry_.getArgument(0);
    const mlir::Type pointer = pointers.getType();
    for (std::size_t p = 0; p < program_.pointers.size(); ++p)
      bases_.push_back(load_raw(pointer, element_at(pointers, pointer, integer(static_cast<std::int64_t>(p))), 8));
    row_.resize(program_.nodes.size());
    splats_.resize(program_.nodes.size());
    uniform_values();
    allocate_scratch();
    const Value begin = entry_.getArgument(2), end = entry_.getArgument(3);
    if (program_.form == Form::flat)
      flat(begin, end);
    else
      loop(begin, end, 1, {}, [&](Value unit, mlir::ValueRange) { return one_unit(unit); });
    mlir::LLVM::ReturnOp::create(builder_, location_, mlir::ValueRange{});
  }

 private:
  // --- loops -----------------------------------------------------------------------------------------------------------
  using Body = std::function<Values(Value, mlir::ValueRange)>;
  Values loop(Value begin, Value end, std::int64_t step, const Values& initial, const Body& body) {
    auto op = mlir::scf::ForOp::create(builder_, location_, begin, end, integer(step), initial);
    const mlir::OpBuilder::InsertionGuard guard(builder_);
    builder_.setInsertionPointToStart(op.getBody());
    const Values results = body(op.getInductionVar(), op.getRegionIterArgs());
    if (!initial.empty()) mlir::scf::YieldOp::create(builder_, location_, results);
    return Values(op.getResults());
  }

  // The elements of [0, end) by vectors; `end` a multiple of kLanes. `body` may carry values.
  void flat(Value begin, Value end) {
    bases_of_row_ = bases_;
    ready_row_values();
    const std::int64_t rest = n_ % kLanes, whole = n_ - rest;
    const bool vectors = std::any_of(program_.stores.begin(), program_.stores.end(),
                                     [&](const Store& store) { return moves(pointer_of(store).inner); });
    if (vectors && rest > 0 && masked_loops_) {
      loop(begin, end, kLanes, {}, [&](Value i, mlir::ValueRange) {
        start_chunk(i, mask_at(i));
        store_chunk(0);
        return Values();
      });
      return;
    }
    if (vectors && whole > 0) {
      const Value last = rest == 0 ? end : minimum_index(end, integer(whole));
      loop(begin, last, kLanes, {}, [&](Value i, mlir::ValueRange) {
        start_chunk(i, {});
        store_chunk(0);
        return Values();
      });
    }
    if (vectors && rest > 0) {
      auto tail = mlir::scf::IfOp::create(builder_, location_, equal_index(end, integer(n_)), false);
      const mlir::OpBuilder::InsertionGuard guard(builder_);
      builder_.setInsertionPointToStart(&tail.getThenRegion().front());
      start_chunk(integer(whole), first_lanes(rest));
      store_chunk(0);
    }
    store_row();
  }

  // Lanes of the vector at `i` that lie within the row.
  Value mask_at(Value i) { return lanes_below(append<mlir::arith::SubIOp>(integer(n_), i)); }

  Values one_unit(Value unit) {
    Value row = unit, first_column = integer(0);
    row_mask_ = {};
    if (program_.form == Form::columns) {
      const std::int64_t vectors = (program_.columns + kLanes - 1) / kLanes;
      row = divide(unit, vectors);
      first_column = multiply(remainder(unit, vectors), kLanes);
      if (program_.columns < kLanes)
        row_mask_ = first_lanes(program_.columns);
      else if (program_.columns % kLanes != 0)
        row_mask_ = lanes_below(append<mlir::arith::SubIOp>(integer(program_.columns), first_column));
    }
    const Values index = positions(row, program_.outer);
    bases_of_row_.clear();
    for (std::size_t p = 0; p < bases_.size(); ++p) {
      const Pointer& pointer = program_.pointers[p];
      Value offset = offset_of(index, pointer.outer);
      if (!pointer.vector.empty() && pointer.vector[0] != 0) offset = add(offset, multiply(first_column, pointer.vector[0]));
      bases_of_row_.push_back(pointer_at(bases_[p], pointer.dtype, offset));
    }
    for (std::size_t k = 0; k < row_.size(); ++k)
      if (!uniform_[k]) row_[k] = splats_[k] = {};
    chunk_.assign(program_.nodes.size(), {});
    for (int pass = 0; pass < program_.passes; ++pass) {
      ready_row_values();
      if (program_.form == Form::columns)
        pass_over_columns(pass);
      else
        pass_over_row(pass);
    }
    ready_row_values();
    store_row();
    return {};
  }

  // --- positions and addresses -----------------------------------------------------------------------------------------
  static Values positions(Value index, const Dims& extents) {
    Values result(static_cast<std::size_t>(extents.rank()));
    for (int d = extents.rank() - 1; d >= 0; --d) {
      result[static_cast<std::size_t>(d)] = d == 0 ? index : remainder(index, extents[d]);
      if (d > 0) index = divide(index, extents[d]);
    }
    return result;
  }
  static Value offset_of(const Values& index, const Dims& strides) {
    Value offset;
    for (int d = 0; d < strides.rank(); ++d) {
      if (strides[d] == 0) continue;
      const Value term = multiply(index[static_cast<std::size_t>(d)], strides[d]);
      offset = offset ? add(offset, term) : term;
    }
    return offset ? offset : integer(0);
  }
  const Pointer& pointer_of(const Store& store) const { return program_.pointers[static_cast<std::size_t>(store.pointer)]; }
  const Node& node(int k) const { return program_.nodes[static_cast<std::size_t>(k)]; }

  Value address(int p) const {
    const Pointer& pointer = program_.pointers[static_cast<std::size_t>(p)];
    const Value base = bases_of_row_[static_cast<std::size_t>(p)];
    return moves(pointer.inner) ? pointer_at(base, pointer.dtype, offset_of(position_, pointer.inner)) : base;
  }
  std::int64_t lane_stride(const Pointer& pointer) const {
    if (program_.form == Form::columns) return pointer.vector[0];
    return pointer.inner[pointer.inner.rank() - 1];
  }

  // --- values of a row -------------------------------------------------------------------------------------------------
  void uniform_values() {
    uniform_.assign(program_.nodes.size(), false);
    for (std::size_t k = 0; k < row_.size(); ++k) {
      const Node& node = program_.nodes[k];
      if (node.kind == Node::Kind::slot) {
        const Value scalar = load_scalar(entry_.getArgument(1), node.index, node.scalar_class, node.dtype);
        row_[k] = splat(scalar, row_lanes_);
      } else if (node.kind == Node::Kind::literal) {
        const EmitScope lanes(builder_, location_, row_lanes_);
        row_[k] = emit_constant(node.dtype, node.scalar_class == DType::i64 ? std::trunc(node.real) : node.real);
      } else {
        continue;
      }
      uniform_[k] = true;
      spread(k);
    }
  }

  // Everything constant along the row whose operands are known by now.
  void ready_row_values() {
    const EmitScope lanes(builder_, location_, row_lanes_);
    for (std::size_t k = 0; k < row_.size(); ++k) {
      const Node& node = program_.nodes[k];
      if (row_[k] || node.level != Level::row || node.kind == Node::Kind::reduce) continue;
      if (node.kind == Node::Kind::load) {
        const Pointer& pointer = program_.pointers[static_cast<std::size_t>(node.index)];
        const std::int64_t stride = program_.form == Form::columns ? pointer.vector[0] : 0;
        row_[k] = load(node.dtype, bases_of_row_[static_cast<std::size_t>(node.index)], stride, row_mask_);
      } else {
        const bool ready = std::all_of(std::begin(node.args), std::end(node.args),
                                       [&](int arg) { return arg < 0 || row_[static_cast<std::size_t>(arg)]; });
        if (!ready) continue;
        row_[k] = compute(node, [&](int arg) { return row_[static_cast<std::size_t>(arg)]; });
      }
      spread(k);
    }
  }

  // As a vector, for use along the row.
  void spread(std::size_t k) {
    if (row_lanes_ != 1 || !row_[k]) {
      splats_[k] = row_[k];
      return;
    }
    const bool used = std::any_of(program_.nodes.begin(), program_.nodes.end(), [&](const Node& user) {
      return (user.level == Level::inner || user.kind == Node::Kind::reduce) &&
             std::find(std::begin(user.args), std::end(user.args), static_cast<int>(k)) != std::end(user.args);
    });
    const bool stored = std::any_of(program_.stores.begin(), program_.stores.end(), [&](const Store& store) {
      return store.node == static_cast<int>(k) && moves(pointer_of(store).inner);
    });
    if (!used && !stored) return;
    const Node& source = node(static_cast<int>(k));
    const EmitScope lanes(builder_, location_, kLanes);
    splats_[k] = source.kind == Node::Kind::literal
                     ? emit_constant(source.dtype, source.scalar_class == DType::i64 ? std::trunc(source.real) : source.real)
                     : splat(row_[k], kLanes);
  }

  void store_row() {
    const EmitScope lanes(builder_, location_, row_lanes_);
    for (const Store& store : program_.stores) {
      if (moves(pointer_of(store).inner)) continue;
      const Value value = row_[static_cast<std::size_t>(store.node)];
      if (!value) throw CompileError("a row result that is not constant along the row");
      jit::store(pointer_of(store).dtype, value, bases_of_row_[static_cast<std::size_t>(store.pointer)], row_mask_);
    }
  }

  template <class Arg>
  Value compute(const Node& node, Arg&& arg) {
    llvm::SmallVector<Value, 3> operands;
    DType dtype = node.dtype;
    for (int k : node.args) {
      if (k < 0) continue;
      operands.push_back(arg(k));
      dtype = this->node(k).dtype;  // of the last operand
    }
    if (node.op == Op::cast) return emit_cast(dtype, node.dtype, operands[0]);
    return emit_pointwise(node.op, dtype, operands);
  }

  // --- values of a vector along the row --------------------------------------------------------------------------------
  void start_chunk(Value index, Value mask) {
    position_ = positions(index, program_.inner);
    mask_ = mask;
    chunk_.assign(program_.nodes.size(), {});
  }

  Value along(int k) {
    if (splats_[static_cast<std::size_t>(k)]) return splats_[static_cast<std::size_t>(k)];
    Value& value = chunk_[static_cast<std::size_t>(k)];
    if (value) return value;
    const Node& node = this->node(k);
    if (node.level == Level::row || node.kind == Node::Kind::reduce)
      throw CompileError("a value of the row that is needed before it is known");
    const EmitScope lanes(builder_, location_, kLanes);
    if (node.kind == Node::Kind::load) {
      const Pointer& pointer = program_.pointers[static_cast<std::size_t>(node.index)];
      value = load(node.dtype, address(node.index), lane_stride(pointer), mask_);
    } else {
      value = compute(node, [&](int arg) { return along(arg); });
    }
    return value;
  }

  void store_chunk(int pass) {
    const EmitScope lanes(builder_, location_, kLanes);
    llvm::SmallVector<std::pair<const Store*, Value>> values;  // all loads come before the first store
    for (const Store& store : program_.stores)
      if (store.pass == pass && moves(pointer_of(store).inner)) values.emplace_back(&store, along(store.node));
    for (const auto& [store, value] : values) jit::store(pointer_of(*store).dtype, value, address(store->pointer), mask_);
  }

  llvm::SmallVector<int> reductions(int pass) const {
    llvm::SmallVector<int> found;
    for (std::size_t k = 0; k < program_.nodes.size(); ++k)
      if (program_.nodes[k].kind == Node::Kind::reduce && program_.nodes[k].pass == pass) found.push_back(static_cast<int>(k));
    return found;
  }
  bool idle(int pass) const {
    return reductions(pass).empty() && std::none_of(program_.stores.begin(), program_.stores.end(), [&](const Store& store) {
             return store.pass == pass && moves(pointer_of(store).inner);
           });
  }

  // --- reductions: the fixed tree of runtime/ops/reduction_tree.hpp -----------------------------------------------------
  // Lanes and blocks that get no element hold the neutral one, which changes no bit.
  void allocate_scratch() {
    const std::int64_t blocks = (n_ + kReductionBlock - 1) / kReductionBlock;
    stacks_.resize(program_.nodes.size());
    lanes_.resize(program_.nodes.size());
    for (std::size_t k = 0; k < program_.nodes.size(); ++k) {
      const Node& node = program_.nodes[k];
      if (node.kind != Node::Kind::reduce) continue;
      if (blocks > 1) stacks_[k] = allocate_stack(row_type(node.dtype), 64);
      if (program_.form == Form::columns) lanes_[k] = allocate_stack(row_type(node.dtype), kReductionLanes);
    }
  }
  mlir::Type row_type(DType dtype) {
    const EmitScope lanes(builder_, location_, row_lanes_);
    return lanes.shaped(element_type(builder_, dtype));
  }
  Value combine(int k, Value a, Value b, int lanes) {
    const EmitScope scope(builder_, location_, lanes);
    return emit_combine(node(k).op, node(k).dtype, a, b);
  }
  Value neutral(int k) {
    const EmitScope scope(builder_, location_, kLanes);
    return emit_neutral(node(k).op, node(k).dtype);
  }
  Value fold(int k, Value vector) {
    for (int half = kReductionLanes / 2; half >= 1; half /= 2)
      vector = half == 1 ? combine(k, lane(vector, 0), lane(vector, 1), 1)
                         : combine(k, half_of(vector, false), half_of(vector, true), half);
    return vector;
  }
  Value lane(Value vector, std::int64_t i) { return append<mlir::LLVM::ExtractElementOp>(vector, integer(i)); }

  // Accumulates one vector; what the mask hides stays.
  Values accumulate(llvm::ArrayRef<int> reduces, mlir::ValueRange sums) {
    Values next;
    for (std::size_t r = 0; r < reduces.size(); ++r) {
      const Value x = along(node(reduces[r]).args[0]);
      const Value sum = combine(reduces[r], sums[r], x, kLanes);
      next.push_back(mask_ ? append<mlir::arith::SelectOp>(mask_, sum, sums[r]) : sum);
    }
    return next;
  }

  void set_reduced(llvm::ArrayRef<int> reduces, const Values& results) {
    for (std::size_t r = 0; r < reduces.size(); ++r) {
      row_[static_cast<std::size_t>(reduces[r])] = results[r];
      spread(static_cast<std::size_t>(reduces[r]));
    }
  }

  void pass_over_row(int pass) {
    if (idle(pass)) return;
    const llvm::SmallVector<int> reduces = reductions(pass);
    const bool masked = masked_loops_ && n_ % kLanes != 0;
    const std::int64_t rest = masked ? 0 : n_ % kLanes, whole = n_ - rest;
    const std::int64_t blocks = (n_ + kReductionBlock - 1) / kReductionBlock;
    Values sums;
    for (int k : reduces) sums.push_back(neutral(k));
    const auto vector = [&](mlir::ValueRange carried) {
      const Values next = accumulate(reduces, carried);
      store_chunk(pass);
      return next;
    };
    const auto tail = [&](const Values& carried) {
      start_chunk(integer(whole), first_lanes(rest));
      return vector(carried);
    };

    if (n_ <= kLanes) {  // one vector: what a pass computed is still there in the next
      position_ = positions(integer(0), program_.inner);
      mask_ = n_ < kLanes ? first_lanes(n_) : Value();
      sums = vector(sums);
    } else if (reduces.empty() || blocks == 1) {
      if (whole > 0)
        sums = loop(integer(0), integer(whole), kLanes, sums, [&](Value i, mlir::ValueRange carried) {
          start_chunk(i, masked ? mask_at(i) : Value());
          return vector(carried);
        });
      if (rest > 0) sums = tail(sums);
    } else {
      loop(integer(0), integer(blocks), 1, {}, [&](Value block, mlir::ValueRange) {
        const Value first = multiply(block, kReductionBlock);
        const Value last = minimum_index(add(first, integer(kReductionBlock)), integer(whole));
        Values in_block = loop(first, last, kLanes, sums, [&](Value i, mlir::ValueRange carried) {
          start_chunk(i, masked ? mask_at(i) : Value());
          return vector(carried);
        });
        if (rest > 0) in_block = if_last(block, blocks, in_block, tail);
        for (std::size_t r = 0; r < reduces.size(); ++r) in_block[r] = fold(reduces[r], in_block[r]);
        push_block(reduces, block, in_block);
        return Values();
      });
      set_reduced(reduces, pop_blocks(reduces, blocks));
      return;
    }
    for (std::size_t r = 0; r < reduces.size(); ++r) sums[r] = fold(reduces[r], sums[r]);
    set_reduced(reduces, sums);
  }

  Values if_last(Value block, std::int64_t blocks, const Values& carried, const std::function<Values(const Values&)>& body) {
    auto op = mlir::scf::IfOp::create(builder_, location_, mlir::TypeRange(mlir::ValueRange(carried)),
                                      equal_index(block, integer(blocks - 1)), true);
    const mlir::OpBuilder::InsertionGuard guard(builder_);
    builder_.setInsertionPointToStart(&op.getThenRegion().front());
    mlir::scf::YieldOp::create(builder_, location_, body(carried));
    builder_.setInsertionPointToStart(&op.getElseRegion().front());
    mlir::scf::YieldOp::create(builder_, location_, carried);
    return Values(op.getResults());
  }

  void pass_over_columns(int pass) {
    if (idle(pass)) return;
    const llvm::SmallVector<int> reduces = reductions(pass);
    const std::int64_t blocks = (n_ + kReductionBlock - 1) / kReductionBlock;
    const auto element = [&](Value i) {
      start_chunk(i, row_mask_);
      const Value slot = append<mlir::arith::AndIOp>(i, integer(kReductionLanes - 1));
      for (int k : reduces) {
        const Value sum = element_at(lanes_[static_cast<std::size_t>(k)], row_type(node(k).dtype), slot);
        const Value x = along(node(k).args[0]);
        store_raw(combine(k, load_raw(row_type(node(k).dtype), sum, 64), x, kLanes), sum, 64);
      }
      store_chunk(pass);
      return Values();
    };
    const auto one_block = [&](Value first, Value last) {
      for (int k : reduces)
        for (std::int64_t j = 0; j < kReductionLanes; ++j) store_raw(neutral(k), lane_slot(k, j), 64);
      loop(first, last, 1, {}, [&](Value i, mlir::ValueRange) { return element(i); });
      Values results;
      for (int k : reduces) results.push_back(fold_columns(k));
      return results;
    };
    if (reduces.empty() || blocks == 1) return set_reduced(reduces, one_block(integer(0), integer(n_)));
    loop(integer(0), integer(blocks), 1, {}, [&](Value block, mlir::ValueRange) {
      const Value first = multiply(block, kReductionBlock);
      push_block(reduces, block, one_block(first, minimum_index(add(first, integer(kReductionBlock)), integer(n_))));
      return Values();
    });
    set_reduced(reduces, pop_blocks(reduces, blocks));
  }
  Value lane_slot(int k, std::int64_t j) {
    return element_at(lanes_[static_cast<std::size_t>(k)], row_type(node(k).dtype), integer(j));
  }
  Value fold_columns(int k) {
    Values lanes;
    for (std::int64_t j = 0; j < kReductionLanes; ++j) lanes.push_back(load_raw(row_type(node(k).dtype), lane_slot(k, j), 64));
    for (std::size_t half = kReductionLanes / 2; half >= 1; half /= 2)
      for (std::size_t j = 0; j < half; ++j) lanes[j] = combine(k, lanes[j], lanes[j + half], kLanes);
    return lanes[0];
  }

  // Pairwise combination of blocks as they come: level l of the stack holds the result of 2^l of them where bit l of the
  // number of blocks so far is set.
  void push_block(llvm::ArrayRef<int> reduces, Value block, const Values& results) {
    const Value merges = append<mlir::LLVM::CountTrailingZerosOp>(builder_.getI64Type(), add(block, integer(1)), true);
    const Values merged = loop(integer(0), merges, 1, results, [&](Value level, mlir::ValueRange carried) {
      Values next;
      for (std::size_t r = 0; r < reduces.size(); ++r)
        next.push_back(combine(reduces[r], load_level(reduces[r], level), carried[r], row_lanes_));
      return next;
    });
    for (std::size_t r = 0; r < reduces.size(); ++r)
      store_raw(merged[r], level_slot(reduces[r], merges), level_alignment(reduces[r]));
  }
  Values pop_blocks(llvm::ArrayRef<int> reduces, std::int64_t blocks) {
    Values results;
    for (int k : reduces) {
      Value result;
      for (std::int64_t level = 0; level < 63; ++level) {
        if (!(blocks >> level & 1)) continue;
        const Value held = load_level(k, integer(level));
        result = result ? combine(k, held, result, row_lanes_) : held;
      }
      results.push_back(result);
    }
    return results;
  }
  unsigned level_alignment(int k) const { return static_cast<unsigned>(size_of(node(k).dtype)); }
  Value level_slot(int k, Value level) {
    return element_at(stacks_[static_cast<std::size_t>(k)], row_type(node(k).dtype), level);
  }
  Value load_level(int k, Value level) { return load_raw(row_type(node(k).dtype), level_slot(k, level), level_alignment(k)); }

  const Program& program_;
  bool masked_loops_;  // one masked loop is cheap to run, and half the code of a loop and a tail
  mlir::OpBuilder& builder_;
  mlir::Location location_;
  mlir::Block& entry_;
  int row_lanes_;
  std::int64_t n_;  // elements of a row
  Values bases_, bases_of_row_;
  Values row_, splats_;  // by node: values of the row, and the same as vectors
  std::vector<bool> uniform_;
  Values chunk_;  // by node: values of the vector at position_
  Values position_;
  Value mask_, row_mask_;
  Values stacks_, lanes_;  // by node: memory of its reduction
};

}  // namespace

void emit_group(mlir::ModuleOp module, llvm::StringRef name, const Program& program, bool masked_loops) {
  mlir::OpBuilder builder = mlir::OpBuilder::atBlockEnd(module.getBody());
  mlir::MLIRContext* context = builder.getContext();
  const mlir::Type pointer = mlir::LLVM::LLVMPointerType::get(context), i64 = builder.getI64Type();
  const auto type = mlir::LLVM::LLVMFunctionType::get(mlir::LLVM::LLVMVoidType::get(context), {pointer, pointer, i64, i64});
  auto function = mlir::LLVM::LLVMFuncOp::create(builder, builder.getUnknownLoc(), name, type);
  GroupEmitter(builder, function, program, masked_loops).run();
}

}  // namespace swage::jit
