// One group program as a function of an MLIR module.
#pragma once

#include <llvm/ADT/StringRef.h>
#include <mlir/IR/BuiltinOps.h>

#include <jit/program.hpp>

namespace swage::jit {

// `masked_loops`: whether the target masks loads and stores of every width at no cost.
// Appends `void name(void* const* pointers, const ScalarValue* scalars, int64_t begin, int64_t end)`.
void emit_group(mlir::ModuleOp module, llvm::StringRef name, const Program& program, bool masked_loops);

}  // namespace swage::jit
