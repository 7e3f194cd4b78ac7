// Reductions: a row or column is the work of a team of threads, in as many passes as there are reductions in sequence.
#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <mlir/Dialect/SCF/IR/SCF.h>

#include <jit/cuda/kernel_emitter.hpp>
#include <runtime/core/error.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage::jit::cuda {

void KernelEmitter::arrange_teams() {
  rows_ = program_.outer.product() * program_.columns;
  const std::int64_t blocks = program_.blocks();
  groups_ = std::min<std::int64_t>(static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(blocks))),
                                   Kernel::kThreads / kReductionLanes);
  rounds_ = (blocks + groups_ - 1) / groups_;
  const std::int64_t members = groups_ * kReductionLanes;
  teams_ = Kernel::kThreads / members;

  lanes_.resize(program_.nodes.size());
  stacks_.resize(program_.nodes.size());
  for (std::size_t k = 0; k < program_.nodes.size(); ++k) {
    const Node& node = program_.nodes[k];
    if (node.kind != Node::Kind::reduce || !needed_[k]) continue;
    lanes_[k] = shared_memory(fmt::format("lanes_{}", k), node.dtype, Kernel::kThreads);
    if (rounds_ > 1)
      stacks_[k] = shared_memory(fmt::format("rounds_{}", k), node.dtype, std::bit_width(static_cast<std::uint64_t>(rounds_)));
  }

  // Neighbouring threads read neighbouring elements: of a row, or of neighbouring columns.
  const Value thread = builtin("threadIdx.x");
  const bool columns = program_.form == Form::columns;
  team_ = columns ? remainder(thread, teams_) : divide(thread, members);
  member_ = columns ? divide(thread, teams_) : remainder(thread, members);
  lane_ = remainder(member_, kReductionLanes);
  group_ = divide(member_, kReductionLanes);
  slot_ = add(multiply(team_, members), member_);
}

void KernelEmitter::all_rows() {
  const Value turns = integer((rows_ + teams_ - 1) / teams_);
  loop(builtin("blockIdx.x"), turns, builtin("gridDim.x"), [&](Value turn) {
    const Value row = add(multiply(turn, teams_), team_);
    active_ = below(row, integer(rows_));
    enter_row(minimum(row, integer(rows_ - 1)));
    for (int pass = 0; pass < program_.passes; ++pass) {
      ready_row_values();
      pass_over_row(pass);
    }
    ready_row_values();
    store_row();
  });
}

KernelEmitter::Nodes KernelEmitter::reductions(int pass) const {
  Nodes found;
  for (std::size_t k = 0; k < program_.nodes.size(); ++k)
    if (program_.nodes[k].kind == Node::Kind::reduce && program_.nodes[k].pass == pass && needed_[k])
      found.push_back(static_cast<int>(k));
  return found;
}

void KernelEmitter::pass_over_row(int pass) {
  const Nodes reduces = reductions(pass);
  if (reduces.empty()) {
    const bool stores = std::any_of(program_.stores.begin(), program_.stores.end(),
                                    [&](const Store& store) { return store.pass == pass && stored_along(store); });
    if (!stores) return;
    const Value end = append<mlir::arith::SelectOp>(active_, integer(n_), integer(0));
    loop(member_, end, integer(groups_ * kReductionLanes), [&](Value i) {
      start_element(i);
      store_elements(pass);
    });
    return;
  }
  Values results;
  if (rounds_ == 1) {
    results = reduce_round(reduces, pass, integer(0));
  } else {
    loop(integer(0), integer(rounds_), integer(1),
         [&](Value round) { push_round(reduces, round, reduce_round(reduces, pass, round)); });
    synchronize();
    results = pop_rounds(reduces);
  }
  for (std::size_t r = 0; r < reduces.size(); ++r) row_[static_cast<std::size_t>(reduces[r])] = results[r];
}

// Lanes and blocks that get no element hold the neutral one, which changes no bit.
KernelEmitter::Values KernelEmitter::reduce_round(const Nodes& reduces, int pass, Value round) {
  const Value first = multiply(add(multiply(round, groups_), group_), kReductionBlock);
  const Value last = minimum(add(first, integer(kReductionBlock)), integer(n_));
  Values sums;
  for (int k : reduces) sums.push_back(emit_neutral(node(k).op, node(k).dtype));
  sums = loop(add(first, lane_), append<mlir::arith::SelectOp>(active_, last, integer(0)), integer(kReductionLanes), sums,
              [&](Value i, mlir::ValueRange carried) {
                start_element(i);
                Values next;
                for (std::size_t r = 0; r < reduces.size(); ++r) {
                  const Node& reduce = node(reduces[r]);
                  next.push_back(emit_combine(reduce.op, reduce.dtype, carried[r], value(reduce.args[0])));
                }
                store_elements(pass);
                return next;
              });

  synchronize();  // the last results have been read by now
  for (std::size_t r = 0; r < reduces.size(); ++r)
    store(node(reduces[r]).dtype, sums[r], lanes_[static_cast<std::size_t>(reduces[r])], slot_);
  synchronize();
  for (int half = kReductionLanes / 2; half >= 1; half /= 2) fold(reduces, below(lane_, integer(half)), half);
  for (std::int64_t step = 1; step < groups_; step *= 2)
    fold(reduces, both(equal(lane_, 0), equal(remainder(group_, 2 * step), 0)), step * kReductionLanes);

  Values results;
  const Value start = multiply(team_, groups_ * kReductionLanes);
  for (int k : reduces) results.push_back(load(node(k).dtype, lanes_[static_cast<std::size_t>(k)], start));
  return results;
}

// Threads that take part combine what they hold with what lies `distance` behind it.
void KernelEmitter::fold(const Nodes& reduces, Value takes_part, std::int64_t distance) {
  only_if(takes_part, [&] {
    for (int k : reduces) {
      const Value lanes = lanes_[static_cast<std::size_t>(k)];
      const DType dtype = node(k).dtype;
      const Value a = load(dtype, lanes, slot_), b = load(dtype, lanes, add(slot_, integer(distance)));
      store(dtype, emit_combine(node(k).op, dtype, a, b), lanes, slot_);
    }
  });
  synchronize();
}

// Level l of the stack holds the result of 2^l rounds where bit l of the number of rounds so far is set: rounds are combined
// pairwise as they come. A row of several rounds has the block of threads to itself; its first thread does this.
void KernelEmitter::push_round(const Nodes& reduces, Value round, const Values& results) {
  only_if(equal(member_, 0), [&] {
    const Value merges = trailing_zeros(add(round, integer(1)));
    const Values merged = loop(integer(0), merges, integer(1), results, [&](Value level, mlir::ValueRange carried) {
      Values next;
      for (std::size_t r = 0; r < reduces.size(); ++r) {
        const Node& reduce = node(reduces[r]);
        const Value held = load(reduce.dtype, stacks_[static_cast<std::size_t>(reduces[r])], level);
        next.push_back(emit_combine(reduce.op, reduce.dtype, held, carried[r]));
      }
      return next;
    });
    for (std::size_t r = 0; r < reduces.size(); ++r)
      store(node(reduces[r]).dtype, merged[r], stacks_[static_cast<std::size_t>(reduces[r])], merges);
  });
}

KernelEmitter::Values KernelEmitter::pop_rounds(const Nodes& reduces) {
  Values results;
  for (int k : reduces) {
    Value result;
    for (std::int64_t level = 0; rounds_ >> level != 0; ++level) {
      if (!(rounds_ >> level & 1)) continue;
      const Value held = load(node(k).dtype, stacks_[static_cast<std::size_t>(k)], integer(level));
      result = result ? emit_combine(node(k).op, node(k).dtype, held, result) : held;
    }
    results.push_back(result);
  }
  return results;
}

// Other members of the team may still read what is rewritten here.
void KernelEmitter::store_row() {
  const auto of_row = [&](const Store& store) { return !stored_along(store); };
  if (std::none_of(program_.stores.begin(), program_.stores.end(), of_row)) return;
  synchronize();
  only_if(both(active_, equal(member_, 0)), [&] {
    for (const Store& store : program_.stores) {
      if (!of_row(store)) continue;
      const Value value = row_[static_cast<std::size_t>(store.node)];
      if (!value) throw CompileError("a row result that is not constant along the row");
      cuda::store(program_.pointers[static_cast<std::size_t>(store.pointer)].dtype, value,
                  entry_.getArgument(static_cast<unsigned>(store.pointer)), index_of(store.pointer));
    }
  });
}

}  // namespace swage::jit::cuda
