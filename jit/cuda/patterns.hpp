// Conversions to EmitC that MLIR lacks, or has in a form that reads badly.
#pragma once

namespace mlir {
class RewritePatternSet;
class TypeConverter;
}  // namespace mlir

namespace swage::jit::cuda {

// They take precedence over MLIR's own for the same op.
void add_patterns(const mlir::TypeConverter& types, mlir::RewritePatternSet& patterns);

}  // namespace swage::jit::cuda
