// Values of nodes: of the whole row, and of the vector at hand.
#include <algorithm>
#include <cmath>

#include <jit/cpu/group_emitter.hpp>
#include <runtime/core/error.hpp>

namespace swage::jit {

template <class Arg>
mlir::Value GroupEmitter::compute(const Node& node, Arg&& arg) {
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

mlir::Type GroupEmitter::row_type(DType dtype) {
  const EmitScope lanes(builder_, location_, row_lanes_);
  return lanes.shaped(element_type(builder_, dtype));
}

void GroupEmitter::uniform_values() {
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

void GroupEmitter::enter_row(const Values& outer, Value first_column) {
  bases_of_row_.clear();
  for (std::size_t p = 0; p < bases_.size(); ++p) {
    const Pointer& pointer = program_.pointers[p];
    Value offset = offset_of(outer, pointer.outer);
    if (first_column && pointer.vector[0] != 0) offset = add(offset, times(first_column, pointer.vector[0]));
    bases_of_row_.push_back(pointer_at(bases_[p], pointer.dtype, offset));
  }
  for (std::size_t k = 0; k < row_.size(); ++k)
    if (!uniform_[k]) row_[k] = splats_[k] = {};
  chunk_.assign(program_.nodes.size(), {});
}

void GroupEmitter::ready_row_values() {
  const EmitScope lanes(builder_, location_, row_lanes_);
  for (std::size_t k = 0; k < row_.size(); ++k) {
    const Node& node = program_.nodes[k];
    if (row_[k] || node.level != Level::row || node.kind == Node::Kind::reduce) continue;
    if (node.kind == Node::Kind::load) {
      const Pointer& pointer = program_.pointers[static_cast<std::size_t>(node.index)];
      const std::int64_t stride = program_.form == Form::columns ? pointer.vector[0] : 0;
      row_[k] = load_lanes(node.dtype, bases_of_row_[static_cast<std::size_t>(node.index)], stride, row_mask_);
    } else {
      const bool ready = std::all_of(std::begin(node.args), std::end(node.args),
                                     [&](int arg) { return arg < 0 || row_[static_cast<std::size_t>(arg)]; });
      if (!ready) continue;
      row_[k] = compute(node, [&](int arg) { return row_[static_cast<std::size_t>(arg)]; });
    }
    spread(k);
  }
}

void GroupEmitter::spread(std::size_t k) {
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

void GroupEmitter::set_reduced(llvm::ArrayRef<int> reduces, const Values& results) {
  for (std::size_t r = 0; r < reduces.size(); ++r) {
    row_[static_cast<std::size_t>(reduces[r])] = results[r];
    spread(static_cast<std::size_t>(reduces[r]));
  }
}

void GroupEmitter::store_row() {
  const EmitScope lanes(builder_, location_, row_lanes_);
  for (const Store& store : program_.stores) {
    if (moves(pointer_of(store).inner)) continue;
    const Value value = row_[static_cast<std::size_t>(store.node)];
    if (!value) throw CompileError("a row result that is not constant along the row");
    jit::store(pointer_of(store).dtype, value, bases_of_row_[static_cast<std::size_t>(store.pointer)], row_mask_);
  }
}

void GroupEmitter::start_chunk(Value index, Value mask) {
  linear_ = index;
  position_ = positions(index, program_.inner);
  mask_ = mask;
  chunk_.assign(program_.nodes.size(), {});
  if (!program_.straddles()) return;
  room_ = subtract(number(program_.inner[program_.inner.rank() - 1]), position_.back());
  const EmitScope lanes(builder_, location_, kLanes);
  beyond_ = not_(MlirMask{lanes_below(room_)}).value;
  if (mask_) beyond_ = (MlirMask{beyond_} & MlirMask{mask_}).value;
  // Past the last stretch no lane is left, and nothing there is read; scalars read the last element again.
  next_position_ = positions(minimum_index(add(linear_, room_), subtract(row_elements(), integer(1))), program_.inner);
}

// `past_the_end`: whether 64 bytes behind the operand may be read.
mlir::Value GroupEmitter::load_lanes(DType dtype, Value address, std::int64_t stride, Value mask, bool past_the_end) {
  if (is_symbol(stride)) return load_strided(dtype, address, number(stride), mask);
  return past_the_end ? load(dtype, address, stride, mask) : load_masked(dtype, address, stride, mask);
}

// A vector that straddles two stretches is two masked ones: lanes beyond the first stretch are addressed as if the second one
// began at lane 0, `room_` elements before it does.
mlir::Value GroupEmitter::load_along(const Node& node) {
  const Pointer& pointer = program_.pointers[static_cast<std::size_t>(node.index)];
  const std::int64_t stride = lane_stride(pointer);
  if (!program_.straddles()) return load_lanes(node.dtype, address(node.index), stride, mask_);
  MlirMask here{lanes_below(room_)};
  if (mask_) here = here & MlirMask{mask_};
  const Value first = load_lanes(node.dtype, address(node.index), stride, here.value);
  const Value next = address(node.index, next_position_);
  if (stride == 0) return append<mlir::arith::SelectOp>(beyond_, load(node.dtype, next, 0, {}), first);
  const Value shifted = pointer_at(next, node.dtype, subtract(integer(0), times(room_, stride)));
  return append<mlir::arith::SelectOp>(beyond_, load_lanes(node.dtype, shifted, stride, beyond_, false), first);
}

void GroupEmitter::store_along(const Store& store, Value value) {
  const DType dtype = pointer_of(store).dtype;
  if (store.past_cache && !mask_ && !program_.straddles()) return store_past_cache(dtype, value, address(store.pointer));
  if (!program_.straddles()) return jit::store(dtype, value, address(store.pointer), mask_);
  const Value next = address(store.pointer, next_position_);
  const Value shifted = pointer_at(next, dtype, subtract(integer(0), room_));
  MlirMask here{lanes_below(room_)};
  if (mask_) here = here & MlirMask{mask_};
  jit::store(dtype, value, address(store.pointer), here.value);
  jit::store(dtype, value, shifted, beyond_);
}

mlir::Value GroupEmitter::kept_address(int k) {
  const mlir::Type element = element_type(builder_, node(k).dtype);
  const bool columns = program_.form == Form::columns;
  return element_at(kept_[static_cast<std::size_t>(k)],
                    columns ? mlir::Type(mlir::VectorType::get({kLanes}, element)) : element, linear_);
}

mlir::Value GroupEmitter::along(int k) {
  if (splats_[static_cast<std::size_t>(k)]) return splats_[static_cast<std::size_t>(k)];
  Value& value = chunk_[static_cast<std::size_t>(k)];
  if (value) return value;
  const Node& node = this->node(k);
  if (node.level == Level::row || node.kind == Node::Kind::reduce)
    throw CompileError("a value of the row that is needed before it is known");
  const EmitScope lanes(builder_, location_, kLanes);
  const bool kept = kept_[static_cast<std::size_t>(k)] != nullptr;
  if (kept && node.kept_from < pass_) {
    value = load_raw(lanes.shaped(element_type(builder_, node.dtype)), kept_address(k), 64);
    return value;
  }
  if (node.kind == Node::Kind::load) {
    value = load_along(node);
  } else {
    value = compute(node, [&](int arg) { return along(arg); });
  }
  if (kept) store_raw(value, kept_address(k), 64);
  return value;
}

void GroupEmitter::store_chunk(int pass) {
  const EmitScope lanes(builder_, location_, kLanes);
  llvm::SmallVector<std::pair<const Store*, Value>> values;  // all loads come before the first store
  for (const Store& store : program_.stores)
    if (store.pass == pass && moves(pointer_of(store).inner)) values.emplace_back(&store, along(store.node));
  for (const auto& [store, value] : values) store_along(*store, value);
}

}  // namespace swage::jit
