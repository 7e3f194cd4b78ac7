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
  const bool ragged = row_varies() || n_ % kLanes != 0;
  const bool masked = masked_loops_ && ragged, tailed = ragged && !masked_loops_;
  Value whole = row_elements();
  if (tailed) whole = row_varies() ? append<mlir::arith::AndIOp>(whole, integer(-kLanes)) : integer(n_ / kLanes * kLanes);
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
    start_chunk(whole, row_varies() ? mask_at(whole) : first_lanes(n_ % kLanes));
    return vector(carried);
  };
  const Value tail_exists =
      row_varies() && tailed ? append<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::slt, whole, row_elements()) : Value();

  if (!reduces.empty() && many_blocks()) {
    const auto results = [&](Value block) {
      const Value first = multiply(block, kReductionBlock);
      const Value last = minimum_index(add(first, integer(kReductionBlock)), whole);
      Values in_block = loop(first, last, kLanes, sums, step);
      if (tailed) {
        Value here = equal_index(block, subtract(blocks(), integer(1)));
        if (tail_exists) here = append<mlir::arith::AndIOp>(here, tail_exists);
        in_block = choose(here, in_block, tail);
      }
      for (std::size_t r = 0; r < reduces.size(); ++r) in_block[r] = fold(reduces[r], in_block[r]);
      return in_block;
    };
    if (block_) return store_partials(reduces, results(block_));
    if (program_.split) return set_reduced(reduces, combined_partials(reduces));
    loop(integer(0), blocks(), 1, [&](Value block) { push_block(reduces, block, results(block)); });
    return set_reduced(reduces, pop_blocks(reduces));
  }
  if (!row_varies() && n_ <= kLanes) {  // one vector: what a pass computed is still there in the next
    if (!linear_) start_chunk(integer(0), n_ < kLanes ? first_lanes(n_) : Value());
    sums = vector(sums);
  } else {
    sums = loop(integer(0), whole, kLanes, sums, step);
    if (tailed) sums = tail_exists ? choose(tail_exists, sums, tail) : tail(sums);
  }
  for (std::size_t r = 0; r < reduces.size(); ++r) sums[r] = fold(reduces[r], sums[r]);
  set_reduced(reduces, sums);
}

// `body` of what is carried where the condition holds.
GroupEmitter::Values GroupEmitter::choose(Value condition, const Values& carried,
                                          const std::function<Values(const Values&)>& body) {
  auto op = mlir::scf::IfOp::create(builder_, location_, mlir::TypeRange(mlir::ValueRange(carried)), condition, true);
  const mlir::OpBuilder::InsertionGuard guard(builder_);
  builder_.setInsertionPointToStart(&op.getThenRegion().front());
  const Values chosen = body(carried);
  if (carried.empty()) return {};  // both branches have their ends already
  mlir::scf::YieldOp::create(builder_, location_, chosen);
  builder_.setInsertionPointToStart(&op.getElseRegion().front());
  mlir::scf::YieldOp::create(builder_, location_, carried);
  return Values(op.getResults());
}

}  // namespace swage::jit
