#include <jit/cuda/patterns.hpp>

#include <limits>

#include <fmt/format.h>
#include <mlir/Dialect/Arith/IR/Arith.h>
#include <mlir/Dialect/EmitC/IR/EmitC.h>
#include <mlir/Dialect/Math/IR/Math.h>
#include <mlir/Transforms/DialectConversion.h>

namespace swage::jit::cuda {
namespace {

namespace arith = mlir::arith;
namespace emitc = mlir::emitc;
namespace math = mlir::math;

constexpr unsigned kOverMlir = 2;

// Shortest text that gives the number back, in parentheses where a sign could meet another one.
template <class T>
std::string number_text(T value, const char* suffix, const char* infinity) {
  if (value != value) return std::string(infinity) + " * 0";
  if (std::numeric_limits<T>::infinity() == value) return infinity;
  if (-std::numeric_limits<T>::infinity() == value) return fmt::format("(-{})", infinity);
  const std::string text = fmt::format("{:#}{}", value, suffix);
  return text[0] == '-' ? "(" + text + ")" : text;
}

std::string literal(mlir::TypedAttr attribute) {
  if (const auto real = mlir::dyn_cast<mlir::FloatAttr>(attribute)) {
    if (attribute.getType().isF32()) return number_text(real.getValue().convertToFloat(), "f", "__int_as_float(0x7f800000)");
    return number_text(real.getValue().convertToDouble(), "", "__longlong_as_double(0x7ff0000000000000)");
  }
  if (attribute.getType().isInteger(1)) return mlir::cast<mlir::IntegerAttr>(attribute).getValue().isZero() ? "false" : "true";
  const std::int64_t value = mlir::cast<mlir::IntegerAttr>(attribute).getInt();
  if (value == std::numeric_limits<std::int64_t>::min()) return fmt::format("({} - 1)", value + 1);
  return value < 0 ? fmt::format("({})", value) : std::to_string(value);
}

// Constants stand where they are used.
struct Constant final : mlir::OpConversionPattern<arith::ConstantOp> {
  using OpConversionPattern::OpConversionPattern;
  mlir::LogicalResult matchAndRewrite(arith::ConstantOp op, OpAdaptor,
                                      mlir::ConversionPatternRewriter& rewriter) const override {
    rewriter.replaceOpWithNewOp<emitc::LiteralOp>(op, op.getType(), literal(op.getValue()));
    return mlir::success();
  }
};

// C++ compares as IEEE says: ordered, but for != .
struct Compare final : mlir::OpConversionPattern<arith::CmpFOp> {
  using OpConversionPattern::OpConversionPattern;
  mlir::LogicalResult matchAndRewrite(arith::CmpFOp op, OpAdaptor adaptor,
                                      mlir::ConversionPatternRewriter& rewriter) const override {
    const auto predicate = of(op.getPredicate());
    if (!predicate) return mlir::failure();
    rewriter.replaceOpWithNewOp<emitc::CmpOp>(op, op.getType(), *predicate, adaptor.getLhs(), adaptor.getRhs());
    return mlir::success();
  }
  static std::optional<emitc::CmpPredicate> of(arith::CmpFPredicate predicate) {
    switch (predicate) {
      case arith::CmpFPredicate::OLT: return emitc::CmpPredicate::lt;
      case arith::CmpFPredicate::OLE: return emitc::CmpPredicate::le;
      case arith::CmpFPredicate::OGT: return emitc::CmpPredicate::gt;
      case arith::CmpFPredicate::OGE: return emitc::CmpPredicate::ge;
      case arith::CmpFPredicate::OEQ: return emitc::CmpPredicate::eq;
      case arith::CmpFPredicate::UNE: return emitc::CmpPredicate::ne;
      default: return std::nullopt;
    }
  }
};

struct Bitcast final : mlir::OpConversionPattern<arith::BitcastOp> {
  using OpConversionPattern::OpConversionPattern;
  mlir::LogicalResult matchAndRewrite(arith::BitcastOp op, OpAdaptor adaptor,
                                      mlir::ConversionPatternRewriter& rewriter) const override {
    const mlir::Type from = op.getIn().getType();
    const char* function = from.isF32()           ? "__float_as_int"
                           : from.isF64()         ? "__double_as_longlong"
                           : op.getType().isF32() ? "__int_as_float"
                                                  : "__longlong_as_double";
    rewriter.replaceOpWithNewOp<emitc::CallOpaqueOp>(op, mlir::TypeRange(op.getType()), function, adaptor.getOperands());
    return mlir::success();
  }
};

// Shifts of the scalar language are by constants below the width, so they need no check.
struct ShiftLeft final : mlir::OpConversionPattern<arith::ShLIOp> {
  using OpConversionPattern::OpConversionPattern;
  mlir::LogicalResult matchAndRewrite(arith::ShLIOp op, OpAdaptor adaptor,
                                      mlir::ConversionPatternRewriter& rewriter) const override {
    const mlir::Type bits = rewriter.getIntegerType(op.getType().getIntOrFloatBitWidth(), /*isSigned=*/false);
    const mlir::Value from = emitc::CastOp::create(rewriter, op.getLoc(), bits, adaptor.getLhs());
    const mlir::Value shifted = emitc::BitwiseLeftShiftOp::create(rewriter, op.getLoc(), bits, from, adaptor.getRhs());
    rewriter.replaceOpWithNewOp<emitc::CastOp>(op, op.getType(), shifted);
    return mlir::success();
  }
};
struct ShiftRight final : mlir::OpConversionPattern<arith::ShRSIOp> {
  using OpConversionPattern::OpConversionPattern;
  mlir::LogicalResult matchAndRewrite(arith::ShRSIOp op, OpAdaptor adaptor,
                                      mlir::ConversionPatternRewriter& rewriter) const override {
    rewriter.replaceOpWithNewOp<emitc::BitwiseRightShiftOp>(op, op.getType(), adaptor.getLhs(), adaptor.getRhs());
    return mlir::success();
  }
};

// Functions that round once, under their names for float and double.
template <class Op>
struct Call final : mlir::OpConversionPattern<Op> {
  Call(const mlir::TypeConverter& types, mlir::MLIRContext* context, const char* for_float, const char* for_double)
      : mlir::OpConversionPattern<Op>(types, context, kOverMlir), for_float(for_float), for_double(for_double) {}
  mlir::LogicalResult matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                                      mlir::ConversionPatternRewriter& rewriter) const override {
    rewriter.replaceOpWithNewOp<emitc::CallOpaqueOp>(op, mlir::TypeRange(op.getType()),
                                                     op.getType().isF32() ? for_float : for_double, adaptor.getOperands());
    return mlir::success();
  }
  const char *for_float, *for_double;
};

}  // namespace

void add_patterns(const mlir::TypeConverter& types, mlir::RewritePatternSet& patterns) {
  mlir::MLIRContext* context = patterns.getContext();
  patterns.add<Constant, Compare, Bitcast, ShiftLeft, ShiftRight>(types, context, kOverMlir);
  patterns.add<Call<math::FmaOp>>(types, context, "fmaf", "fma");
  patterns.add<Call<math::SqrtOp>>(types, context, "sqrtf", "sqrt");
  patterns.add<Call<math::AbsFOp>>(types, context, "fabsf", "fabs");
  patterns.add<Call<math::FloorOp>>(types, context, "floorf", "floor");
}

}  // namespace swage::jit::cuda
