// The scalar language on MLIR values: each operation appends one op to the function under construction. A number is a
// vector of 16 elements, or one element, according to the open EmitScope.
#pragma once

#include <cstdint>

#include <llvm/ADT/APFloat.h>
#include <mlir/Dialect/Arith/IR/Arith.h>
#include <mlir/Dialect/LLVMIR/LLVMDialect.h>
#include <mlir/Dialect/Math/IR/Math.h>
#include <mlir/IR/Builders.h>
#include <mlir/IR/BuiltinAttributes.h>
#include <mlir/IR/BuiltinTypes.h>

#include <runtime/ops/scalar_language.hpp>

namespace swage::jit {

// Where numbers append their ops: the scalar language makes constants out of nothing, so the builder cannot be an argument.
class EmitScope {
 public:
  EmitScope(mlir::OpBuilder& builder, mlir::Location location, int lanes)
      : builder(builder), location(location), lanes(lanes), ldexp(current_ && current_->ldexp), outer_(current_) {
    current_ = this;
  }
  ~EmitScope() { current_ = outer_; }
  EmitScope(const EmitScope&) = delete;
  EmitScope& operator=(const EmitScope&) = delete;
  static EmitScope& current() { return *current_; }

  mlir::Type shaped(mlir::Type element) const {
    return lanes == 1 ? element : mlir::Type(mlir::VectorType::get({lanes}, element));
  }
  mlir::Value constant(mlir::TypedAttr element) const {
    mlir::TypedAttr value = element;
    if (lanes != 1)
      value = mlir::DenseElementsAttr::get(mlir::VectorType::get({lanes}, element.getType()), mlir::Attribute(element));
    return mlir::arith::ConstantOp::create(builder, location, value);
  }

  mlir::OpBuilder& builder;
  mlir::Location location;
  int lanes;
  bool ldexp;  // whether the target multiplies vectors by powers of two in one instruction; true also of scopes inside

 private:
  static inline thread_local EmitScope* current_ = nullptr;
  EmitScope* outer_;
};

template <class Op, class... Args>
mlir::Value append(Args&&... args) {
  EmitScope& scope = EmitScope::current();
  return Op::create(scope.builder, scope.location, std::forward<Args>(args)...).getResult();
}

struct MlirMask {
  mlir::Value value;

  friend MlirMask operator&(MlirMask a, MlirMask b) { return {append<mlir::arith::AndIOp>(a.value, b.value)}; }
  friend MlirMask operator|(MlirMask a, MlirMask b) { return {append<mlir::arith::OrIOp>(a.value, b.value)}; }
  friend MlirMask not_(MlirMask a) {
    EmitScope& scope = EmitScope::current();
    return {append<mlir::arith::XOrIOp>(a.value, scope.constant(scope.builder.getBoolAttr(true)))};
  }
  friend MlirMask select(MlirMask mask, MlirMask a, MlirMask b) {
    return {append<mlir::arith::SelectOp>(mask.value, a.value, b.value)};
  }
};

// Integers of 32 or 64 bits, wrapping around.
template <int width>
struct MlirBits {
  mlir::Value value;

  static MlirBits constant(std::int64_t bits) {
    EmitScope& scope = EmitScope::current();
    return {scope.constant(scope.builder.getIntegerAttr(scope.builder.getIntegerType(width), bits))};
  }
  friend MlirBits operator+(MlirBits a, MlirBits b) { return {append<mlir::arith::AddIOp>(a.value, b.value)}; }
  friend MlirBits operator-(MlirBits a, MlirBits b) { return {append<mlir::arith::SubIOp>(a.value, b.value)}; }
  friend MlirBits operator&(MlirBits a, MlirBits b) { return {append<mlir::arith::AndIOp>(a.value, b.value)}; }
  friend MlirBits shl(MlirBits a, int n) { return {append<mlir::arith::ShLIOp>(a.value, constant(n).value)}; }
  friend MlirBits sar(MlirBits a, int n) { return {append<mlir::arith::ShRSIOp>(a.value, constant(n).value)}; }
};

template <class T>
struct MlirNumber {
  using Element = T;
  using Mask = MlirMask;
  using Bits = MlirBits<8 * sizeof(T)>;
  mlir::Value value;

  static mlir::FloatType element_type() {
    EmitScope& scope = EmitScope::current();
    return sizeof(T) == 4 ? mlir::FloatType(scope.builder.getF32Type()) : mlir::FloatType(scope.builder.getF64Type());
  }
  static MlirNumber splat(double constant) {
    EmitScope& scope = EmitScope::current();
    const llvm::APFloat exact = sizeof(T) == 4 ? llvm::APFloat(static_cast<float>(constant)) : llvm::APFloat(constant);
    return {scope.constant(scope.builder.getFloatAttr(element_type(), exact))};
  }
  static Bits splat_bits(std::int64_t constant) { return Bits::constant(constant); }
  static MlirNumber from_bits(Bits bits) {
    return {append<mlir::arith::BitcastOp>(EmitScope::current().shaped(element_type()), bits.value)};
  }
  static Mask bit_set(Bits bits, std::int64_t constant) {
    return {
        append<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::ne, (bits & splat_bits(constant)).value, splat_bits(0).value)};
  }

  friend Bits to_bits(MlirNumber a) {
    EmitScope& scope = EmitScope::current();
    return {append<mlir::arith::BitcastOp>(scope.shaped(scope.builder.getIntegerType(8 * sizeof(T))), a.value)};
  }
  friend MlirNumber operator+(MlirNumber a, MlirNumber b) { return {append<mlir::arith::AddFOp>(a.value, b.value)}; }
  friend MlirNumber operator-(MlirNumber a, MlirNumber b) { return {append<mlir::arith::SubFOp>(a.value, b.value)}; }
  friend MlirNumber operator*(MlirNumber a, MlirNumber b) { return {append<mlir::arith::MulFOp>(a.value, b.value)}; }
  friend MlirNumber operator/(MlirNumber a, MlirNumber b) { return {append<mlir::arith::DivFOp>(a.value, b.value)}; }
  friend MlirNumber operator-(MlirNumber a) { return {append<mlir::arith::NegFOp>(a.value)}; }
  friend Mask compare(MlirNumber a, MlirNumber b, mlir::arith::CmpFPredicate predicate) {
    return {append<mlir::arith::CmpFOp>(predicate, a.value, b.value)};
  }
  friend Mask operator<(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpFPredicate::OLT); }
  friend Mask operator<=(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpFPredicate::OLE); }
  friend Mask operator>(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpFPredicate::OGT); }
  friend Mask operator>=(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpFPredicate::OGE); }
  friend Mask eq(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpFPredicate::OEQ); }
  friend Mask ne(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpFPredicate::UNE); }
  friend MlirNumber fma(MlirNumber a, MlirNumber b, MlirNumber c) {
    return {append<mlir::math::FmaOp>(a.value, b.value, c.value)};
  }
  friend MlirNumber sqrt(MlirNumber a) { return {append<mlir::math::SqrtOp>(a.value)}; }
  friend MlirNumber abs(MlirNumber a) { return {append<mlir::math::AbsFOp>(a.value)}; }
  friend MlirNumber floor(MlirNumber a) { return {append<mlir::math::FloorOp>(a.value)}; }
  friend MlirNumber scaled(MlirNumber a, MlirNumber, Bits k) {
    const EmitScope& scope = EmitScope::current();
    if (sizeof(T) != 4 || !scope.ldexp || scope.lanes == 1) return scalar::scaled_in_steps(a, k);
    return {append<mlir::LLVM::LoadExpOp>(a.value.getType(), a.value, k.value)};
  }
  friend MlirNumber select(Mask mask, MlirNumber a, MlirNumber b) {
    return {append<mlir::arith::SelectOp>(mask.value, a.value, b.value)};
  }
};

template <>
struct MlirNumber<std::int64_t> {
  using Element = std::int64_t;
  using Mask = MlirMask;
  mlir::Value value;

  static MlirNumber splat(double constant) { return {MlirBits<64>::constant(static_cast<std::int64_t>(constant)).value}; }
  friend MlirNumber operator+(MlirNumber a, MlirNumber b) { return {append<mlir::arith::AddIOp>(a.value, b.value)}; }
  friend MlirNumber operator-(MlirNumber a, MlirNumber b) { return {append<mlir::arith::SubIOp>(a.value, b.value)}; }
  friend MlirNumber operator*(MlirNumber a, MlirNumber b) { return {append<mlir::arith::MulIOp>(a.value, b.value)}; }
  friend MlirNumber operator-(MlirNumber a) { return splat(0) - a; }
  friend Mask compare(MlirNumber a, MlirNumber b, mlir::arith::CmpIPredicate predicate) {
    return {append<mlir::arith::CmpIOp>(predicate, a.value, b.value)};
  }
  friend Mask operator<(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpIPredicate::slt); }
  friend Mask operator<=(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpIPredicate::sle); }
  friend Mask operator>(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpIPredicate::sgt); }
  friend Mask operator>=(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpIPredicate::sge); }
  friend Mask eq(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpIPredicate::eq); }
  friend Mask ne(MlirNumber a, MlirNumber b) { return compare(a, b, mlir::arith::CmpIPredicate::ne); }
  friend MlirNumber select(Mask mask, MlirNumber a, MlirNumber b) {
    return {append<mlir::arith::SelectOp>(mask.value, a.value, b.value)};
  }
  friend MlirNumber abs(MlirNumber a) { return select(a < splat(0), -a, a); }
  friend MlirNumber floor(MlirNumber a) { return a; }
};

}  // namespace swage::jit
