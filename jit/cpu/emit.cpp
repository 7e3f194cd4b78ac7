#include <jit/cpu/emit.hpp>

#include <algorithm>

#include <mlir/Dialect/SCF/IR/SCF.h>

#include <jit/cpu/group_emitter.hpp>
#include <jit/cpu/target.hpp>

namespace swage::jit {

bool moves(const Dims& strides) {
  return std::any_of(strides.begin(), strides.end(), [](std::int64_t stride) { return stride != 0; });
}

GroupEmitter::GroupEmitter(mlir::OpBuilder& builder, mlir::LLVM::LLVMFuncOp function, const Program& program, bool masked_loops)
    : program_(program),
      masked_loops_(masked_loops && !program.passes_cache()),
      builder_(builder),
      location_(function.getLoc()),
      entry_(*function.addEntryBlock(builder)),
      row_lanes_(program.form == Form::columns ? kLanes : 1),
      n_(has_symbols(program.inner) ? -1 : program.inner.product()) {}

void GroupEmitter::run() {
  builder_.setInsertionPointToStart(&entry_);
  EmitScope scope(builder_, location_, 1);
  scope.ldexp = code_target().avx512;
  const Value pointers = entry_.getArgument(0);
  for (std::size_t p = 0; p < program_.pointers.size(); ++p) {
    const Value slot = element_at(pointers, pointers.getType(), integer(static_cast<std::int64_t>(p)));
    bases_.push_back(load_raw(pointers.getType(), slot, 8));
  }
  if (program_.split) {
    const Value slot = element_at(pointers, pointers.getType(), integer(static_cast<std::int64_t>(program_.pointers.size())));
    partials_ = load_raw(pointers.getType(), slot, 8);
  }
  load_symbols();
  row_.resize(program_.nodes.size());
  splats_.resize(program_.nodes.size());
  chunk_.resize(program_.nodes.size());
  uniform_values();
  allocate_scratch();
  const Value begin = entry_.getArgument(2), end = entry_.getArgument(3);
  if (program_.form == Form::flat)
    flat(begin, end);
  else
    units(begin, end);
  if (program_.passes_cache()) fence_past_cache();
  mlir::LLVM::ReturnOp::create(builder_, location_, mlir::ValueRange{});
}

GroupEmitter::Values GroupEmitter::loop(Value begin, Value end, std::int64_t step, const Values& carried, const Body& body) {
  auto op = mlir::scf::ForOp::create(builder_, location_, begin, end, integer(step), carried);
  const mlir::OpBuilder::InsertionGuard guard(builder_);
  builder_.setInsertionPointToStart(op.getBody());
  const Values results = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!carried.empty()) mlir::scf::YieldOp::create(builder_, location_, results);
  return Values(op.getResults());
}

void GroupEmitter::loop(Value begin, Value end, std::int64_t step, const std::function<void(Value)>& body) {
  loop(begin, end, step, {}, [&](Value i, mlir::ValueRange) {
    body(i);
    return Values();
  });
}

void GroupEmitter::flat(Value begin, Value end) {
  bases_of_row_ = bases_;
  ready_row_values();
  const bool ragged = row_varies() || n_ % kLanes != 0;
  const auto vector = [&](Value i, Value mask) {
    start_chunk(i, mask);
    store_chunk(0);
  };
  if (idle(0)) {
    store_row();
  } else if (ragged && masked_loops_) {
    loop(begin, end, kLanes, [&](Value i) { vector(i, mask_at(i)); });
  } else {
    const Value whole =
        row_varies() ? append<mlir::arith::AndIOp>(row_elements(), integer(-kLanes)) : integer(n_ / kLanes * kLanes);
    if (row_varies() || n_ >= kLanes) loop(begin, minimum_index(end, whole), kLanes, [&](Value i) { vector(i, {}); });
    if (!ragged) return;
    // Where the tail is empty, its mask hides all of it.
    auto tail = mlir::scf::IfOp::create(builder_, location_, equal_index(end, row_elements()), false);
    const mlir::OpBuilder::InsertionGuard guard(builder_);
    builder_.setInsertionPointToStart(&tail.getThenRegion().front());
    vector(whole, row_varies() ? mask_at(whole) : first_lanes(n_ % kLanes));
  }
}

GroupEmitter::Values GroupEmitter::positions(Value index, const Dims& extents) const {
  Values result(static_cast<std::size_t>(extents.rank()));
  for (int d = extents.rank() - 1; d >= 0; --d) {
    result[static_cast<std::size_t>(d)] = d == 0 ? index : rest_of(index, extents[d]);
    if (d > 0) index = quotient(index, extents[d]);
  }
  return result;
}

mlir::Value GroupEmitter::offset_of(const Values& index, const Dims& strides) const {
  Value offset;
  for (int d = 0; d < strides.rank(); ++d) {
    if (strides[d] == 0) continue;
    const Value term = times(index[static_cast<std::size_t>(d)], strides[d]);
    offset = offset ? add(offset, term) : term;
  }
  return offset ? offset : integer(0);
}

mlir::Value GroupEmitter::address(int p, const Values& position) const {
  const Pointer& pointer = program_.pointers[static_cast<std::size_t>(p)];
  const Value base = bases_of_row_[static_cast<std::size_t>(p)];
  return moves(pointer.inner) ? pointer_at(base, pointer.dtype, offset_of(position, pointer.inner)) : base;
}

std::int64_t GroupEmitter::lane_stride(const Pointer& pointer) const {
  return program_.form == Form::columns ? pointer.vector[0] : pointer.inner[pointer.inner.rank() - 1];
}

mlir::Value GroupEmitter::mask_at(Value i) { return lanes_below(subtract(row_elements(), i)); }

void emit_group(mlir::ModuleOp module, llvm::StringRef name, const Program& program, bool masked_loops) {
  mlir::OpBuilder builder = mlir::OpBuilder::atBlockEnd(module.getBody());
  mlir::MLIRContext* context = builder.getContext();
  const mlir::Type pointer = mlir::LLVM::LLVMPointerType::get(context), i64 = builder.getI64Type();
  const auto type = mlir::LLVM::LLVMFunctionType::get(mlir::LLVM::LLVMVoidType::get(context), {pointer, pointer, i64, i64});
  auto function = mlir::LLVM::LLVMFuncOp::create(builder, builder.getUnknownLoc(), name, type);
  GroupEmitter(builder, function, program, masked_loops).run();
}

}  // namespace swage::jit
