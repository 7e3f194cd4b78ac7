// What a CUDA kernel has beyond arithmetic (indices, memory, barriers), appended to the open EmitScope. The scope is one lane
// wide: each thread computes one element.
#pragma once

#include <llvm/ADT/StringRef.h>

#include <jit/arithmetic.hpp>

namespace swage::jit::cuda {

// Positions and addresses, as i64. They do not overflow.
mlir::Value integer(std::int64_t value);
mlir::Value add(mlir::Value a, mlir::Value b);
mlir::Value multiply(mlir::Value a, std::int64_t factor);
mlir::Value multiply(mlir::Value a, mlir::Value b);
mlir::Value divide(mlir::Value a, std::int64_t divisor);  // a ≥ 0
mlir::Value remainder(mlir::Value a, std::int64_t divisor);
mlir::Value minimum(mlir::Value a, mlir::Value b);
mlir::Value below(mlir::Value a, mlir::Value b);  // a condition
mlir::Value equal(mlir::Value a, std::int64_t b);
mlir::Value both(mlir::Value a, mlir::Value b);
mlir::Value trailing_zeros(mlir::Value a);  // a > 0

mlir::Value builtin(llvm::StringRef name);  // such as threadIdx.x
void synchronize();                         // all threads of the block

// Types of a kernel's arguments: an address, or the class of a scalar slot.
mlir::Type address_type(mlir::OpBuilder& builder, DType dtype, bool written);
mlir::Type scalar_type(mlir::OpBuilder& builder, DType scalar_class);

mlir::Value load(DType dtype, mlir::Value base, mlir::Value index);
void store(DType dtype, mlir::Value value, mlir::Value base, mlir::Value index);

// `count` elements that the threads of a block share; at the start of a kernel.
mlir::Value shared_memory(const std::string& name, DType dtype, std::int64_t count);

}  // namespace swage::jit::cuda
