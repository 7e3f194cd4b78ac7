#include <jit/cpu/lower.hpp>

#include <llvm/IR/Module.h>
#include <mlir/Conversion/ArithToLLVM/ArithToLLVM.h>
#include <mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h>
#include <mlir/Conversion/LLVMCommon/ConversionTarget.h>
#include <mlir/Conversion/LLVMCommon/TypeConverter.h>
#include <mlir/Conversion/MathToLLVM/MathToLLVM.h>
#include <mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h>
#include <mlir/Dialect/Arith/IR/Arith.h>
#include <mlir/Dialect/ControlFlow/IR/ControlFlow.h>
#include <mlir/Dialect/LLVMIR/LLVMDialect.h>
#include <mlir/Dialect/Math/IR/Math.h>
#include <mlir/Dialect/SCF/IR/SCF.h>
#include <mlir/IR/BuiltinOps.h>
#include <mlir/IR/MLIRContext.h>
#include <mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h>
#include <mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h>
#include <mlir/Target/LLVMIR/Export.h>
#include <mlir/Transforms/DialectConversion.h>

#include <runtime/core/error.hpp>

namespace swage::jit {

std::unique_ptr<mlir::MLIRContext> make_context() {
  mlir::DialectRegistry registry;
  registry.insert<mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::scf::SCFDialect, mlir::cf::ControlFlowDialect,
                  mlir::LLVM::LLVMDialect>();
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  auto context = std::make_unique<mlir::MLIRContext>(registry, mlir::MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  return context;
}

std::unique_ptr<llvm::Module> lower(mlir::ModuleOp module, llvm::LLVMContext& context) {
  mlir::MLIRContext* mlir_context = module.getContext();
  mlir::LowerToLLVMOptions options(mlir_context);
  mlir::LLVMTypeConverter types(mlir_context, options);
  mlir::RewritePatternSet patterns(mlir_context);
  mlir::populateSCFToControlFlowConversionPatterns(patterns);
  mlir::cf::populateControlFlowToLLVMConversionPatterns(types, patterns);
  mlir::arith::populateArithToLLVMConversionPatterns(types, patterns);
  mlir::populateMathToLLVMConversionPatterns(types, patterns);
  mlir::LLVMConversionTarget target(*mlir_context);
  target.addLegalOp<mlir::ModuleOp>();
  mlir::ConversionConfig config;
  config.allowPatternRollback = false;
  if (mlir::failed(mlir::applyPartialConversion(module, target, std::move(patterns), config)))
    throw CompileError("the conversion to the LLVM dialect failed");
  auto translated = mlir::translateModuleToLLVMIR(module, context, "swage", /*disableVerification=*/true);
  if (!translated) throw CompileError("the translation to LLVM IR failed");
  return translated;
}

}  // namespace swage::jit
