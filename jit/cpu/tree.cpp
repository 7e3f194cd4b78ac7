// The fixed reduction tree: lanes, blocks, and the pairwise combination of blocks.
#include <algorithm>

#include <mlir/Dialect/SCF/IR/SCF.h>

#include <jit/cpu/group_emitter.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage::jit {
namespace {

constexpr std::int64_t kStackLevels = 40;  // 2^40 blocks

}  // namespace

void GroupEmitter::allocate_scratch() {
  stacks_.resize(program_.nodes.size());
  lanes_.resize(program_.nodes.size());
  kept_.resize(program_.nodes.size());
  const bool columns = program_.form == Form::columns;
  for (std::size_t k = 0; k < program_.nodes.size(); ++k) {
    const Node& node = program_.nodes[k];
    if (node.kept_from >= 0) {
      Value vectors = row_elements();
      if (!columns)
        vectors = row_varies() ? divide(add(vectors, integer(kLanes - 1)), kLanes) : integer((n_ + kLanes - 1) / kLanes);
      kept_[k] = allocate_stack(mlir::VectorType::get({kLanes}, element_type(builder_, node.dtype)), vectors);
    }
    if (node.kind != Node::Kind::reduce) continue;
    if (many_blocks()) stacks_[k] = allocate_stack(row_type(node.dtype), integer(kStackLevels * program_.strip));
    if (columns) lanes_[k] = allocate_stack(row_type(node.dtype), integer(kReductionLanes * program_.strip));
  }
}

GroupEmitter::Nodes GroupEmitter::reductions(int pass) const {
  Nodes found;
  for (std::size_t k = 0; k < program_.nodes.size(); ++k)
    if (program_.nodes[k].kind == Node::Kind::reduce && program_.nodes[k].pass == pass) found.push_back(static_cast<int>(k));
  return found;
}

bool GroupEmitter::idle(int pass) const {
  return reductions(pass).empty() && std::none_of(program_.stores.begin(), program_.stores.end(), [&](const Store& store) {
           return store.pass == pass && moves(pointer_of(store).inner);
         });
}

mlir::Value GroupEmitter::combine(int k, Value a, Value b, int lanes) {
  const EmitScope scope(builder_, location_, lanes);
  return emit_combine(node(k).op, node(k).dtype, a, b);
}

mlir::Value GroupEmitter::neutral(int k) {
  const EmitScope scope(builder_, location_, kLanes);
  return emit_neutral(node(k).op, node(k).dtype);
}

mlir::Value GroupEmitter::fold(int k, Value vector) {
  for (int half = kReductionLanes / 2; half >= 2; half /= 2)
    vector = combine(k, half_of(vector, false), half_of(vector, true), half);
  const auto lane = [&](std::int64_t i) { return append<mlir::LLVM::ExtractElementOp>(vector, integer(i)); };
  return combine(k, lane(0), lane(1), 1);
}

mlir::Value GroupEmitter::stack_slot(int k, Value level) {
  if (program_.strip > 1) level = add(multiply(level, program_.strip), column_);
  return element_at(stacks_[static_cast<std::size_t>(k)], row_type(node(k).dtype), level);
}

// Level l of the stack holds the result of 2^l blocks where bit l of the number of blocks so far is set: blocks are combined
// pairwise as they come.
void GroupEmitter::push_block(llvm::ArrayRef<int> reduces, Value block, const Values& results) {
  const auto alignment = [&](int k) { return static_cast<unsigned>(size_of(node(k).dtype)); };
  const Value merges = append<mlir::LLVM::CountTrailingZerosOp>(builder_.getI64Type(), add(block, integer(1)), true);
  const Values merged = loop(integer(0), merges, 1, results, [&](Value level, mlir::ValueRange carried) {
    Values next;
    for (std::size_t r = 0; r < reduces.size(); ++r) {
      const int k = reduces[r];
      const Value held = load_raw(row_type(node(k).dtype), stack_slot(k, level), alignment(k));
      next.push_back(combine(k, held, carried[r], row_lanes_));
    }
    return next;
  });
  for (std::size_t r = 0; r < reduces.size(); ++r) store_raw(merged[r], stack_slot(reduces[r], merges), alignment(reduces[r]));
}

GroupEmitter::Values GroupEmitter::pop_blocks(llvm::ArrayRef<int> reduces) {
  if (row_varies()) return pop_some_blocks(reduces);
  Values results;
  for (int k : reduces) {
    Value result;
    for (std::int64_t level = 0; level < kStackLevels; ++level) {
      if (!(program_.blocks() >> level & 1)) continue;
      const Value held =
          load_raw(row_type(node(k).dtype), stack_slot(k, integer(level)), static_cast<unsigned>(size_of(node(k).dtype)));
      result = result ? combine(k, held, result, row_lanes_) : held;
    }
    results.push_back(result);
  }
  return results;
}

// The same where only the run knows which levels hold something.
GroupEmitter::Values GroupEmitter::pop_some_blocks(llvm::ArrayRef<int> reduces) {
  const mlir::Type i64 = builder_.getI64Type();
  const auto held = [&](int k, Value level) {
    return load_raw(row_type(node(k).dtype), stack_slot(k, level), static_cast<unsigned>(size_of(node(k).dtype)));
  };
  const Value first = append<mlir::LLVM::CountTrailingZerosOp>(i64, blocks(), true);
  const Value end = subtract(integer(64), append<mlir::LLVM::CountLeadingZerosOp>(i64, blocks(), true));
  Values results;
  for (int k : reduces) results.push_back(held(k, first));
  return loop(add(first, integer(1)), end, 1, results, [&](Value level, mlir::ValueRange carried) {
    const Value bit = append<mlir::arith::AndIOp>(append<mlir::arith::ShRUIOp>(blocks(), level), integer(1));
    const Value filled = equal_index(bit, integer(1));
    Values next;
    for (std::size_t r = 0; r < reduces.size(); ++r) {
      const Value sum = combine(reduces[r], held(reduces[r], level), carried[r], row_lanes_);
      next.push_back(append<mlir::arith::SelectOp>(filled, sum, carried[r]));
    }
    return next;
  });
}

void GroupEmitter::one_result(Value result) {
  result_ = result;
  if (program_.form == Form::rows)
    one_row(result);
  else
    one_strip(result);
}

void GroupEmitter::units(Value begin, Value end) {
  if (!program_.split) return loop(begin, end, 1, [&](Value result) { one_result(result); });
  const Value combines = append<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::slt, begin, integer(0));
  auto choice = mlir::scf::IfOp::create(builder_, location_, combines, true);
  const mlir::OpBuilder::InsertionGuard guard(builder_);
  builder_.setInsertionPointToStart(&choice.getThenRegion().front());
  loop(integer(0), integer(program_.results()), 1, [&](Value result) { one_result(result); });
  builder_.setInsertionPointToStart(&choice.getElseRegion().front());
  loop(begin, end, 1, [&](Value unit) {
    const auto [result, block] = by_blocks(unit);
    block_ = block;
    one_result(result);
    block_ = {};
  });
}

mlir::Value GroupEmitter::partial_slot(std::size_t reduction, Value unit) {
  Value slot = add(unit, times_blocks(integer(static_cast<std::int64_t>(reduction) * program_.results())));
  if (program_.strip > 1) slot = add(multiply(slot, program_.strip), column_);
  return element_at(partials_, builder_.getI8Type(), multiply(slot, program_.slot_bytes()));
}

void GroupEmitter::store_partials(llvm::ArrayRef<int> reduces, const Values& results) {
  const Value unit = add(times_blocks(result_), block_);
  for (std::size_t r = 0; r < reduces.size(); ++r) store_raw(results[r], partial_slot(r, unit), 8);
}

GroupEmitter::Values GroupEmitter::combined_partials(llvm::ArrayRef<int> reduces) {
  const Value first = times_blocks(result_);
  loop(integer(0), blocks(), 1, [&](Value block) {
    Values results;
    for (std::size_t r = 0; r < reduces.size(); ++r)
      results.push_back(load_raw(row_type(node(reduces[r]).dtype), partial_slot(r, add(first, block)), 8));
    push_block(reduces, block, results);
  });
  return pop_blocks(reduces);
}

}  // namespace swage::jit
