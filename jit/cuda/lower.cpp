#include <jit/cuda/lower.hpp>

#include <llvm/Support/raw_ostream.h>
#include <mlir/Conversion/ArithToEmitC/ArithToEmitC.h>
#include <mlir/Conversion/SCFToEmitC/SCFToEmitC.h>
#include <mlir/Dialect/Arith/IR/Arith.h>
#include <mlir/Dialect/EmitC/IR/EmitC.h>
#include <mlir/Dialect/Math/IR/Math.h>
#include <mlir/Dialect/SCF/IR/SCF.h>
#include <mlir/IR/Iterators.h>
#include <mlir/IR/MLIRContext.h>
#include <mlir/Target/Cpp/CppEmitter.h>
#include <mlir/Transforms/DialectConversion.h>

#include <jit/cuda/patterns.hpp>
#include <runtime/core/error.hpp>

namespace swage::jit::cuda {
namespace {

// Folding and unread positions leave values that nobody uses; compilers would warn. What computes a value has no other effect.
void drop_unused(mlir::ModuleOp module) {
  module->walk<mlir::WalkOrder::PostOrder, mlir::ReverseIterator>([](mlir::Operation* op) {
    const bool computes = mlir::isa<mlir::emitc::CExpressionInterface, mlir::emitc::LiteralOp, mlir::emitc::SubscriptOp>(op);
    if (computes && op->getNumResults() != 0 && op->use_empty()) op->erase();
  });
}

}  // namespace

std::unique_ptr<mlir::MLIRContext> make_context() {
  mlir::DialectRegistry registry;
  registry.insert<mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::scf::SCFDialect, mlir::emitc::EmitCDialect>();
  auto context = std::make_unique<mlir::MLIRContext>(registry, mlir::MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  return context;
}

std::string to_cpp(mlir::ModuleOp module) {
  mlir::MLIRContext* context = module.getContext();
  mlir::TypeConverter types;
  types.addConversion([](mlir::Type type) { return type; });
  mlir::RewritePatternSet patterns(context);
  mlir::populateArithToEmitCPatterns(types, patterns);
  mlir::populateSCFToEmitCConversionPatterns(patterns, types);
  add_patterns(types, patterns);
  mlir::ConversionTarget target(*context);
  target.addLegalDialect<mlir::emitc::EmitCDialect>();
  target.addLegalOp<mlir::ModuleOp>();
  target.addIllegalDialect<mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::scf::SCFDialect>();
  if (mlir::failed(mlir::applyPartialConversion(module, target, std::move(patterns))))
    throw CompileError("the conversion to EmitC failed");
  drop_unused(module);
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (mlir::failed(mlir::emitc::translateToCpp(module, stream))) throw CompileError("EmitC could not be printed as C++");
  return text;
}

}  // namespace swage::jit::cuda
