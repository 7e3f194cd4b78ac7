// From scf, arith and math to LLVM IR, in one conversion.
#pragma once

#include <memory>

namespace llvm {
class LLVMContext;
class Module;
}  // namespace llvm
namespace mlir {
class MLIRContext;
class ModuleOp;
}  // namespace mlir

namespace swage::jit {

// A context with the dialects and translations that generated code needs, and no threads of its own.
std::unique_ptr<mlir::MLIRContext> make_context();

// Converts `module` in place and translates it. Throws CompileError.
std::unique_ptr<llvm::Module> lower(mlir::ModuleOp module, llvm::LLVMContext& context);

}  // namespace swage::jit
