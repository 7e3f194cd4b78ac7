// Loads, stores and addresses, appended to the open EmitScope.
#pragma once

#include <jit/arithmetic.hpp>

namespace swage::jit {

mlir::Value integer(std::int64_t value);  // an i64, never a vector
mlir::Value add(mlir::Value a, mlir::Value b);
mlir::Value multiply(mlir::Value a, std::int64_t factor);
mlir::Value divide(mlir::Value a, std::int64_t divisor);  // of indices: a ≥ 0
mlir::Value remainder(mlir::Value a, std::int64_t divisor);
mlir::Value subtract(mlir::Value a, mlir::Value b);
mlir::Value minimum_index(mlir::Value a, mlir::Value b);
mlir::Value equal_index(mlir::Value a, mlir::Value b);

mlir::Value pointer_at(mlir::Value base, DType dtype, mlir::Value index);  // index in elements
mlir::Value splat(mlir::Value scalar, int lanes);

// Loads one number of the open scope: a scalar, or lanes `stride` elements apart. A mask (null: all lanes) hides lanes that do
// not exist; up to 64 bytes behind an operand may be read even so.
mlir::Value load(DType dtype, mlir::Value address, std::int64_t stride, mlir::Value mask);
// Reads no lane that the mask hides. `stride` is not 0.
mlir::Value load_masked(DType dtype, mlir::Value address, std::int64_t stride, mlir::Value mask);
// Lanes that lie a stride apart that only the run knows. Reads no lane that the mask (null: none) hides.
mlir::Value load_strided(DType dtype, mlir::Value address, mlir::Value stride, mlir::Value mask);
void store(DType dtype, mlir::Value value, mlir::Value address, mlir::Value mask);
// A whole dense vector that goes to memory without a place in the cache, where its address allows. After the last one, a fence puts
// such stores in order with what follows.
void store_past_cache(DType dtype, mlir::Value value, mlir::Value address);
void fence_past_cache();
mlir::Value load_raw(mlir::Type type, mlir::Value address, unsigned alignment);
void store_raw(mlir::Value value, mlir::Value address, unsigned alignment);
mlir::Value allocate_stack(mlir::Type type, mlir::Value count);  // at the insertion point: the entry block
mlir::Value element_at(mlir::Value base, mlir::Type type, mlir::Value index);

// The scalar that a slot holds, converted to `dtype`.
mlir::Value load_scalar(mlir::Value scalars, int index, DType scalar_class, DType dtype);

mlir::Value first_lanes(std::int64_t count);  // a constant mask
mlir::Value lanes_below(mlir::Value count);   // a mask of lanes with an index below `count`
mlir::Value half_of(mlir::Value vector, bool upper);

}  // namespace swage::jit
