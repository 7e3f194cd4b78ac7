// What an op's result looks like: shape, dtype and stride rules. Runs on the cold path only; errors are raised here, at the
// user's line.
#pragma once

#include <cstdint>
#include <span>

#include <runtime/core/call_site.hpp>
#include <runtime/ops/attributes.hpp>
#include <runtime/ops/op.hpp>

namespace swage {

// An operand as inference sees it: a tensor's descriptor, or a scalar (weak: it takes the dtype of the tensors beside it).
struct OperandType {
  const ViewDesc* desc = nullptr;  // null for a scalar
  DType scalar = DType::f64;       // class of a scalar: f64 (floating) or i64 (integer)
};

// The result's descriptor. Results that own storage are row-major; views carry the strides of what they view. With `in_place`
// the result is operand 0, which must hold the broadcast shape exactly and not overlap itself. Raises ShapeError, DTypeError,
// IndexError or ValueError naming the op, the shapes and what would be right.
ViewDesc infer(Op op, const Attribute& attribute, std::span<const OperandType> operands, bool in_place, CallSite site);

// How far a view op moves the start, in elements. `start` is the record's slot (narrow only).
std::int64_t view_offset(Op op, const Attribute& attribute, const ViewDesc& operand, std::int64_t start);

// Whether `dims` is reachable from `desc` without moving data; fills the strides.
bool reshape_strides(const ViewDesc& desc, const Dims& dims, Dims& strides);

}  // namespace swage
