// Rows: vectors run along the reduced dimensions, a row at a time, in as many passes as there are reductions in sequence.
#include <mlir/Dialect/SCF/IR/SCF.h>

#include <jit/cpu/group_emitter.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage::jit {

void GroupEmitter::one_row(Value row) {
  enter_row(positions(row, program_.outer), {});
  linear_ = {};
  for (pass_ = 0; pass_ < program_.passes; ++pass_) {
    ready_row_values();
    pass_over_row(pass_);
  }
  if (block_) return;
  ready_row_values();
  store_row();
}

void GroupEmitter::pass_over_row(int pass) {
  if (idle(pass)) return;
  const Nodes reduces = reductions(pass);
  const bool masked = masked_loops_ && n_ % kLanes != 0;
  const std::int64_t rest = masked ? 0 : n_ % kLanes, whole = n_ - rest;
  Values sums;
  for (int k : reduces) sums.push_back(neutral(k));

  // One vector; of the sums, what the mask hides stays.
  const auto vector = [&](mlir::ValueRange carried) {
    Values next;
    for (std::size_t r = 0; r < reduces.size(); ++r) {
      const Value sum = combine(reduces[r], carried[r], along(node(reduces[r]).args[0]), kLanes);
      next.push_back(mask_ ? append<mlir::arith::SelectOp>(mask_, sum, carried[r]) : sum);
    }
    store_chunk(pass);
    return next;
  };
  const Body step = [&](Value i, mlir::ValueRange carried) {
    start_chunk(i, masked ? mask_at(i) : Value());
    return vector(carried);
  };
  const auto tail = [&](const Values& carried) {
    start_chunk(integer(whole), first_lanes(rest));
    return vector(carried);
  };

  if (!reduces.empty() && blocks() > 1) {
    const auto results = [&](Value block) {
      const Value first = multiply(block, kReductionBlock);
      const Value last = minimum_index(add(first, integer(kReductionBlock)), integer(whole));
      Values in_block = loop(first, last, kLanes, sums, step);
      if (rest > 0) in_block = if_last(block, in_block, tail);
      for (std::size_t r = 0; r < reduces.size(); ++r) in_block[r] = fold(reduces[r], in_block[r]);
      return in_block;
    };
    if (block_) return store_partials(reduces, results(block_));
    if (program_.split) return set_reduced(reduces, combined_partials(reduces));
    loop(integer(0), integer(blocks()), 1, [&](Value block) { push_block(reduces, block, results(block)); });
    return set_reduced(reduces, pop_blocks(reduces));
  }
  if (n_ <= kLanes) {  // one vector: what a pass computed is still there in the next
    if (!linear_) start_chunk(integer(0), n_ < kLanes ? first_lanes(n_) : Value());
    sums = vector(sums);
  } else {
    if (whole > 0) sums = loop(integer(0), integer(whole), kLanes, sums, step);
    if (rest > 0) sums = tail(sums);
  }
  for (std::size_t r = 0; r < reduces.size(); ++r) sums[r] = fold(reduces[r], sums[r]);
  set_reduced(reduces, sums);
}

GroupEmitter::Values GroupEmitter::if_last(Value block, const Values& carried,
                                           const std::function<Values(const Values&)>& body) {
  auto op = mlir::scf::IfOp::create(builder_, location_, mlir::TypeRange(mlir::ValueRange(carried)),
                                    equal_index(block, integer(blocks() - 1)), true);
  const mlir::OpBuilder::InsertionGuard guard(builder_);
  builder_.setInsertionPointToStart(&op.getThenRegion().front());
  mlir::scf::YieldOp::create(builder_, location_, body(carried));
  builder_.setInsertionPointToStart(&op.getElseRegion().front());
  mlir::scf::YieldOp::create(builder_, location_, carried);
  return Values(op.getResults());
}

}  // namespace swage::jit
