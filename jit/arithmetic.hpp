// Single ops as MLIR: what the op table and the scalar language say, appended to the open EmitScope.
#pragma once

#include <span>

#include <jit/number.hpp>
#include <runtime/core/dtype.hpp>
#include <runtime/ops/op.hpp>

namespace swage::jit {

mlir::Type element_type(mlir::OpBuilder& builder, DType dtype);  // in registers: i1 for bool

// One pointwise op on operands of type `dtype` (where: of its last two); cast excluded.
mlir::Value emit_pointwise(Op op, DType dtype, std::span<const mlir::Value> operands);
mlir::Value emit_cast(DType from, DType to, mlir::Value value);
// The combining step of a reduction, and the element that leaves every other as it is, bit for bit, on either side.
mlir::Value emit_combine(Op op, DType dtype, mlir::Value a, mlir::Value b);
mlir::Value emit_neutral(Op op, DType dtype);
mlir::Value emit_constant(DType dtype, double real);

}  // namespace swage::jit
