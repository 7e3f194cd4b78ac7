// The fixed reduction tree: lanes, blocks, and the pairwise combination of blocks.
#include <algorithm>

#include <jit/cpu/group_emitter.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage::jit {
namespace {

constexpr std::int64_t kStackLevels = 40;  // 2^40 blocks

}  // namespace

std::int64_t GroupEmitter::blocks() const { return (n_ + kReductionBlock - 1) / kReductionBlock; }

void GroupEmitter::allocate_scratch() {
  stacks_.resize(program_.nodes.size());
  lanes_.resize(program_.nodes.size());
  kept_.resize(program_.nodes.size());
  const bool columns = program_.form == Form::columns;
  for (std::size_t k = 0; k < program_.nodes.size(); ++k) {
    const Node& node = program_.nodes[k];
    if (node.kept_from >= 0) {
      const std::int64_t vectors = columns ? n_ : (n_ + kLanes - 1) / kLanes;
      kept_[k] = allocate_stack(mlir::VectorType::get({kLanes}, element_type(builder_, node.dtype)), vectors);
    }
    if (node.kind != Node::Kind::reduce) continue;
    if (blocks() > 1) stacks_[k] = allocate_stack(row_type(node.dtype), kStackLevels * program_.strip);
    if (columns) lanes_[k] = allocate_stack(row_type(node.dtype), kReductionLanes * program_.strip);
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
  Values results;
  for (int k : reduces) {
    Value result;
    for (std::int64_t level = 0; level < kStackLevels; ++level) {
      if (!(blocks() >> level & 1)) continue;
      const Value held =
          load_raw(row_type(node(k).dtype), stack_slot(k, integer(level)), static_cast<unsigned>(size_of(node(k).dtype)));
      result = result ? combine(k, held, result, row_lanes_) : held;
    }
    results.push_back(result);
  }
  return results;
}

}  // namespace swage::jit
