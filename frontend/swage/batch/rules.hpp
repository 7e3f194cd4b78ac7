// One op of a program on the rows of a group: instances lie along a new first dimension. Shared operands have none, and broadcast.
#pragma once

#include <optional>
#include <span>

#include <swage/batch/program.hpp>

namespace swage::grouping {

// An operand or a result: n instances of it, or one that is the same for all.
struct Lane {
  Tensor tensor;
  bool rows = false;
  // What it is to be seen as, with its rows, where that is not the tensor's own shape: reshapes cost nothing until the values are used.
  std::optional<Dims> shape = {};

  const Dims& sizes() const { return shape ? *shape : tensor.sizes(); }
  Tensor as(const Dims& sizes) const;  // reshaped
  Tensor get() const { return as(sizes()); }
};

// The extents of n rows of such.
Dims with_rows(std::int64_t n, const Dims& dims);
// The result for n instances; `rows` unless no operand has rows. Runs with differentiation as it is.
Lane apply(const CellProgram& program, const BodyOp& op, std::span<const Lane> operands, std::int64_t n);

}  // namespace swage::grouping
