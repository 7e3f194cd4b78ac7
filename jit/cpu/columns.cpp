// Columns: vectors run across rows of memory, along the last kept dimension; each lane reduces a column of its own. The sixteen
// lanes of the reduction tree lie in memory, as vectors of columns. A strip of several vectors is walked together where one
// pass is enough, so that each row of memory is read in longer stretches.
#include <jit/cpu/group_emitter.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage::jit {

void GroupEmitter::one_strip(Value strip) {
  const auto [outer_row, strip_of_row] = by_strips(strip);
  const Value first = multiply(strip_of_row, program_.strip);
  Value here = integer(program_.strip);
  if (program_.strip > 1) {
    const std::int64_t vectors = (program_.columns + kLanes - 1) / kLanes;
    if (vectors % program_.strip != 0) here = minimum_index(here, subtract(integer(vectors), first));
  }
  const Values outer = positions(outer_row, program_.outer);
  // Makes vector `w` of the strip the current row of values.
  const auto enter = [&](Value w) {
    column_ = w;
    const Value first_column = multiply(program_.strip == 1 ? first : add(first, w), kLanes);
    row_mask_ = {};
    const bool columns_vary = is_symbol(program_.columns);
    if (!columns_vary && program_.columns < kLanes)
      row_mask_ = first_lanes(program_.columns);
    else if (columns_vary || program_.columns % kLanes != 0)
      row_mask_ = lanes_below(subtract(number(program_.columns), first_column));
    enter_row(outer, first_column);
    ready_row_values();
  };
  const auto each = [&](const std::function<void()>& body) {
    if (program_.strip == 1) return body();
    loop(integer(0), here, 1, [&](Value w) {
      enter(w);
      body();
    });
  };

  pass_ = 0;
  if (program_.strip == 1) enter(integer(0));
  for (; pass_ < program_.passes; ++pass_) {
    if (program_.strip == 1) ready_row_values();
    if (idle(pass_)) continue;
    const Nodes reduces = reductions(pass_);
    const auto clear = [&] {
      for (int k : reduces)
        for (std::int64_t j = 0; j < kReductionLanes; ++j) store_raw(neutral(k), lane_slot(k, integer(j)), 64);
    };
    const auto walk = [&](Value begin, Value end) {
      loop(begin, end, 1, [&](Value i) {
        each([&] {
          start_chunk(i, row_mask_);
          const Value lane = append<mlir::arith::AndIOp>(i, integer(kReductionLanes - 1));
          for (int k : reduces) {
            const Value sum = lane_slot(k, lane);
            const Value x = along(node(k).args[0]);
            store_raw(combine(k, load_raw(row_type(node(k).dtype), sum, 64), x, kLanes), sum, 64);
          }
          store_chunk(pass_);
        });
      });
    };
    const auto folded = [&] {
      Values results;
      for (int k : reduces) results.push_back(fold_columns(k));
      return results;
    };
    if (!many_blocks() || reduces.empty()) {
      each(clear);
      walk(integer(0), row_elements());
    } else {
      const auto walk_block = [&](Value block) {
        const Value begin = multiply(block, kReductionBlock);
        each(clear);
        walk(begin, minimum_index(add(begin, integer(kReductionBlock)), row_elements()));
      };
      if (block_) {
        walk_block(block_);
        return each([&] { store_partials(reduces, folded()); });
      }
      if (!program_.split) {
        loop(integer(0), blocks(), 1, [&](Value block) {
          walk_block(block);
          each([&] { push_block(reduces, block, folded()); });
        });
      }
    }
    const auto finish = [&] {
      if (program_.split)
        set_reduced(reduces, combined_partials(reduces));
      else
        set_reduced(reduces, !many_blocks() || reduces.empty() ? folded() : pop_blocks(reduces));
      if (program_.strip == 1) return;
      ready_row_values();
      store_row();
    };
    each(finish);
  }
  if (program_.strip != 1) return;
  ready_row_values();
  store_row();
}

mlir::Value GroupEmitter::lane_slot(int k, Value lane) {
  if (program_.strip > 1) lane = add(multiply(lane, program_.strip), column_);
  return element_at(lanes_[static_cast<std::size_t>(k)], row_type(node(k).dtype), lane);
}

mlir::Value GroupEmitter::fold_columns(int k) {
  Values lanes;
  for (std::int64_t j = 0; j < kReductionLanes; ++j)
    lanes.push_back(load_raw(row_type(node(k).dtype), lane_slot(k, integer(j)), 64));
  for (std::size_t half = kReductionLanes / 2; half >= 1; half /= 2)
    for (std::size_t j = 0; j < half; ++j) lanes[j] = combine(k, lanes[j], lanes[j + half], kLanes);
  return lanes[0];
}

}  // namespace swage::jit
