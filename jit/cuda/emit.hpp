// A group program as a CUDA kernel in the EmitC, arith, math and scf dialects.
#pragma once

#include <string>

#include <mlir/IR/BuiltinOps.h>

#include <jit/cuda/kernel.hpp>
#include <jit/program.hpp>

namespace swage::jit::cuda {

// Appends an emitc.func of that name. Throws CompileError.
Kernel emit_kernel(mlir::ModuleOp module, const std::string& name, const Program& program);

}  // namespace swage::jit::cuda
