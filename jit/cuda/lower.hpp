// From arith, math, scf and EmitC to C++ text.
#pragma once

#include <memory>
#include <string>

namespace mlir {
class MLIRContext;
class ModuleOp;
}  // namespace mlir

namespace swage::jit::cuda {

// A context with the dialects of kernels, and no threads of its own.
std::unique_ptr<mlir::MLIRContext> make_context();

// Converts `module` to EmitC in place and prints it. Throws CompileError.
std::string to_cpp(mlir::ModuleOp module);

}  // namespace swage::jit::cuda
