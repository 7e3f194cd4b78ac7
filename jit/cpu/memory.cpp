#include <jit/cpu/memory.hpp>

#include <mlir/Dialect/LLVMIR/LLVMDialect.h>
#include <mlir/Dialect/SCF/IR/SCF.h>

#include <jit/program.hpp>
#include <runtime/core/planted_fault.hpp>

namespace swage::jit {
namespace {

using mlir::Value;
namespace llvm_ir = mlir::LLVM;

EmitScope& scope() { return EmitScope::current(); }
mlir::Type pointer_type() { return llvm_ir::LLVMPointerType::get(scope().builder.getContext()); }

mlir::Type memory_type(DType dtype) {
  return dtype == DType::boolean ? scope().builder.getI8Type() : element_type(scope().builder, dtype);
}
mlir::Type vector_of(mlir::Type element, int lanes) {
  return lanes == 1 ? element : mlir::Type(mlir::VectorType::get({lanes}, element));
}

// Bytes in memory to masks in registers, and back.
Value from_memory(DType dtype, Value value) {
  if (dtype != DType::boolean) return value;
  const Value zero = scope().constant(scope().builder.getI8IntegerAttr(0));
  return append<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::ne, value, zero);
}
Value to_memory(DType dtype, Value value) {
  if (dtype != DType::boolean) return value;
  return append<mlir::arith::ExtUIOp>(vector_of(scope().builder.getI8Type(), scope().lanes), value);
}

Value zeros(mlir::Type type) {
  return append<mlir::arith::ConstantOp>(mlir::cast<mlir::TypedAttr>(scope().builder.getZeroAttr(type)));
}

// Multiples of `step` from 0 on, one a lane.
Value lane_offsets(std::int64_t step) {
  std::vector<std::int64_t> offsets(kLanes);
  for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] = static_cast<std::int64_t>(i) * step;
  return append<mlir::arith::ConstantOp>(mlir::cast<mlir::TypedAttr>(scope().builder.getI64VectorAttr(offsets)));
}

Value gather(DType dtype, Value address, Value indices, Value mask) {
  const mlir::Type type = memory_type(dtype);
  const Value addresses = append<llvm_ir::GEPOp>(vector_of(pointer_type(), kLanes), type, address, mlir::ValueRange{indices});
  if (!mask) mask = first_lanes(kLanes);
  const mlir::Type result = vector_of(type, kLanes);
  return append<llvm_ir::masked_gather>(result, addresses, mask, mlir::ValueRange{zeros(result)},
                                        static_cast<std::uint32_t>(size_of(dtype)));
}

}  // namespace

Value integer(std::int64_t value) {
  return append<mlir::arith::ConstantOp>(mlir::cast<mlir::TypedAttr>(scope().builder.getI64IntegerAttr(value)));
}
Value add(Value a, Value b) { return append<mlir::arith::AddIOp>(a, b); }
Value subtract(Value a, Value b) { return append<mlir::arith::SubIOp>(a, b); }
Value multiply(Value a, std::int64_t factor) {
  return factor == 1 ? a : factor == 0 ? integer(0) : append<mlir::arith::MulIOp>(a, integer(factor));
}
Value divide(Value a, std::int64_t divisor) { return divisor == 1 ? a : append<mlir::arith::DivUIOp>(a, integer(divisor)); }
Value remainder(Value a, std::int64_t divisor) {
  return divisor == 1 ? integer(0) : append<mlir::arith::RemUIOp>(a, integer(divisor));
}
Value equal_index(Value a, Value b) { return append<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::eq, a, b); }
Value minimum_index(Value a, Value b) {
  return append<mlir::arith::SelectOp>(append<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::slt, a, b), a, b);
}

Value element_at(Value base, mlir::Type type, Value index) {
  return append<llvm_ir::GEPOp>(pointer_type(), type, base, mlir::ValueRange{index});
}
Value pointer_at(Value base, DType dtype, Value index) { return element_at(base, memory_type(dtype), index); }

Value splat(Value scalar, int lanes) {
  if (lanes == 1) return scalar;
  const mlir::Type type = mlir::VectorType::get({lanes}, scalar.getType());
  const Value empty = append<llvm_ir::PoisonOp>(type);
  const Value first = append<llvm_ir::InsertElementOp>(empty, scalar, integer(0));
  return append<llvm_ir::ShuffleVectorOp>(first, empty, llvm::SmallVector<std::int32_t>(static_cast<std::size_t>(lanes), 0));
}

Value load_raw(mlir::Type type, Value address, unsigned alignment) { return append<llvm_ir::LoadOp>(type, address, alignment); }
void store_raw(Value value, Value address, unsigned alignment) {
  llvm_ir::StoreOp::create(scope().builder, scope().location, value, address, alignment);
}

Value load(DType dtype, Value address, std::int64_t stride, Value mask) {
  const mlir::Type type = memory_type(dtype);
  const auto size = static_cast<unsigned>(size_of(dtype));
  const int lanes = scope().lanes;
  if (lanes == 1) return from_memory(dtype, load_raw(type, address, size));
  if (stride == 0) {
    const Value one = load_raw(type, address, size);
    return from_memory(dtype, splat(one, lanes));
  }
  if (stride != 1) return from_memory(dtype, gather(dtype, address, lane_offsets(stride), mask));
  const mlir::Type vector = vector_of(type, lanes);
  // Sixteen elements of four bytes end within the 64 bytes that may be read behind any buffer; eight-byte ones do not.
  if (!mask || size <= 4) return from_memory(dtype, load_raw(vector, address, size));
  return load_masked(dtype, address, 1, mask);
}

Value load_masked(DType dtype, Value address, std::int64_t stride, Value mask) {
  if (stride != 1) return from_memory(dtype, gather(dtype, address, lane_offsets(stride), mask));
  const mlir::Type vector = vector_of(memory_type(dtype), scope().lanes);
  return from_memory(
      dtype, append<llvm_ir::MaskedLoadOp>(vector, address, mask, zeros(vector), static_cast<unsigned>(size_of(dtype))));
}

Value load_strided(DType dtype, Value address, Value stride, Value mask) {
  const Value offsets = append<mlir::arith::MulIOp>(lane_offsets(1), splat(stride, kLanes));
  return from_memory(dtype, gather(dtype, address, offsets, mask));
}

void store(DType dtype, Value value, Value address, Value mask) {
  const auto size = static_cast<unsigned>(size_of(dtype));
  const Value raw = to_memory(dtype, value);
  if (mask && scope().lanes != 1)
    llvm_ir::MaskedStoreOp::create(scope().builder, scope().location, raw, address, mask, size);
  else
    store_raw(raw, address, size);
}

void store_past_cache(DType dtype, Value value, Value address) {
  const Value bits = append<llvm_ir::PtrToIntOp>(scope().builder.getI64Type(), address);
  const Value aligned = equal_index(append<mlir::arith::AndIOp>(bits, integer(63)), integer(0));
  const Value raw = to_memory(dtype, value);
  auto choice = mlir::scf::IfOp::create(scope().builder, scope().location, aligned, true);
  const mlir::OpBuilder::InsertionGuard guard(scope().builder);
  scope().builder.setInsertionPointToStart(&choice.getThenRegion().front());
  llvm_ir::StoreOp::create(scope().builder, scope().location, raw, address, 64u, /*isVolatile=*/false, /*isNonTemporal=*/true);
  scope().builder.setInsertionPointToStart(&choice.getElseRegion().front());
  store_raw(raw, address, static_cast<unsigned>(size_of(dtype)));
}

void fence_past_cache() {
  llvm_ir::CallIntrinsicOp::create(scope().builder, scope().location, scope().builder.getStringAttr("llvm.x86.sse.sfence"),
                                   mlir::ValueRange{});
}

Value allocate_stack(mlir::Type type, Value count) { return append<llvm_ir::AllocaOp>(pointer_type(), type, count, 64u); }

Value load_scalar(Value scalars, int index, DType scalar_class, DType dtype) {
  const mlir::Type type = element_type(scope().builder, scalar_class);
  const Value slot = load_raw(type, element_at(scalars, scope().builder.getI64Type(), integer(index)), 8);
  EmitScope scalar(scope().builder, scope().location, 1);
  return emit_cast(scalar_class, dtype, slot);
}

Value first_lanes(std::int64_t count) {
  if (planted(PlantedFault::tail) && count < kLanes) --count;
  llvm::SmallVector<bool> lanes(kLanes, false);
  for (std::int64_t i = 0; i < count; ++i) lanes[static_cast<std::size_t>(i)] = true;
  return append<mlir::arith::ConstantOp>(mlir::cast<mlir::TypedAttr>(scope().builder.getBoolVectorAttr(lanes)));
}

Value lanes_below(Value count) {
  if (planted(PlantedFault::tail)) count = append<mlir::arith::SubIOp>(count, integer(1));
  return append<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::slt, lane_offsets(1), splat(count, kLanes));
}

Value half_of(Value vector, bool upper) {
  const auto lanes = static_cast<std::int32_t>(mlir::cast<mlir::VectorType>(vector.getType()).getDimSize(0));
  llvm::SmallVector<std::int32_t> picked;
  for (std::int32_t i = 0; i < lanes / 2; ++i) picked.push_back(upper ? lanes / 2 + i : i);
  return append<llvm_ir::ShuffleVectorOp>(vector, vector, picked);
}

}  // namespace swage::jit
