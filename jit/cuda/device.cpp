#include <jit/cuda/device.hpp>

#include <fmt/format.h>
#include <mlir/Dialect/EmitC/IR/EmitC.h>

namespace swage::jit::cuda {
namespace {

namespace emitc = mlir::emitc;
using mlir::Value;

constexpr auto kNoOverflow = mlir::arith::IntegerOverflowFlags::nsw;

EmitScope& scope() { return EmitScope::current(); }

// Masks are bytes in memory, 0 or 1.
std::string_view memory_name(DType dtype) {
  constexpr std::string_view names[] = {"int8_t", "int64_t", "float", "double"};
  return names[static_cast<int>(dtype)];
}
mlir::Type memory_type(DType dtype) {
  return dtype == DType::boolean ? scope().builder.getI8Type() : element_type(scope().builder, dtype);
}

Value element(DType dtype, Value base, Value index) {
  return append<emitc::SubscriptOp>(emitc::LValueType::get(memory_type(dtype)), base, mlir::ValueRange{index});
}

Value compare(mlir::arith::CmpIPredicate predicate, Value a, Value b) { return append<mlir::arith::CmpIOp>(predicate, a, b); }

}  // namespace

Value integer(std::int64_t value) { return MlirBits<64>::constant(value).value; }
Value add(Value a, Value b) { return append<mlir::arith::AddIOp>(a, b, kNoOverflow); }
Value multiply(Value a, std::int64_t factor) { return factor == 1 ? a : multiply(a, integer(factor)); }
Value multiply(Value a, Value b) { return append<mlir::arith::MulIOp>(a, b, kNoOverflow); }
Value divide(Value a, std::int64_t divisor) { return divisor == 1 ? a : append<mlir::arith::DivSIOp>(a, integer(divisor)); }
Value remainder(Value a, std::int64_t divisor) {
  return divisor == 1 ? integer(0) : append<mlir::arith::RemSIOp>(a, integer(divisor));
}
Value minimum(Value a, Value b) { return append<mlir::arith::SelectOp>(below(a, b), a, b); }
Value below(Value a, Value b) { return compare(mlir::arith::CmpIPredicate::slt, a, b); }
Value equal(Value a, std::int64_t b) { return compare(mlir::arith::CmpIPredicate::eq, a, integer(b)); }
Value both(Value a, Value b) { return append<mlir::arith::AndIOp>(a, b); }

Value trailing_zeros(Value a) {
  auto first = emitc::CallOpaqueOp::create(scope().builder, scope().location, mlir::TypeRange(scope().builder.getI32Type()),
                                           "__ffsll", mlir::ValueRange{a});
  const Value position = append<mlir::arith::ExtSIOp>(scope().builder.getI64Type(), first.getResult(0));
  return add(position, integer(-1));
}

Value builtin(llvm::StringRef name) {
  const mlir::Type type = scope().builder.getIntegerType(32, /*isSigned=*/false);
  return append<emitc::CastOp>(scope().builder.getI64Type(), append<emitc::LiteralOp>(type, name));
}

void synchronize() {
  emitc::CallOpaqueOp::create(scope().builder, scope().location, mlir::TypeRange(), "__syncthreads", mlir::ValueRange{});
}

mlir::Type address_type(mlir::OpBuilder& builder, DType dtype, bool written) {
  return emitc::OpaqueType::get(builder.getContext(),
                                fmt::format("{}{}* __restrict__", written ? "" : "const ", memory_name(dtype)));
}

mlir::Type scalar_type(mlir::OpBuilder& builder, DType scalar_class) { return element_type(builder, scalar_class); }

Value load(DType dtype, Value base, Value index) {
  const Value raw = append<emitc::LoadOp>(memory_type(dtype), element(dtype, base, index));
  if (dtype != DType::boolean) return raw;
  const Value zero = scope().constant(scope().builder.getI8IntegerAttr(0));
  return compare(mlir::arith::CmpIPredicate::ne, raw, zero);
}

void store(DType dtype, Value value, Value base, Value index) {
  if (dtype == DType::boolean) value = append<mlir::arith::ExtUIOp>(memory_type(dtype), value);
  emitc::AssignOp::create(scope().builder, scope().location, element(dtype, base, index), value);
}

Value shared_memory(const std::string& name, DType dtype, std::int64_t count) {
  emitc::VerbatimOp::create(scope().builder, scope().location,
                            fmt::format("__shared__ {} {}[{}];", memory_name(dtype), name, count));
  const mlir::Type type = emitc::OpaqueType::get(scope().builder.getContext(), fmt::format("{}*", memory_name(dtype)));
  return append<emitc::LiteralOp>(type, name);
}

}  // namespace swage::jit::cuda
