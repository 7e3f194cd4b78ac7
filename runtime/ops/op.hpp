// The op table: every primitive, one row each. Names, printing, dispatch, inference, kernels, code generation, gradient rules
// and tests are derived from it. To add a primitive: an enumerator and a row here, its arithmetic in scalar_ops.hpp (or a kernel
// in kernels/), and its gradient rule in frontend/swage/autograd/.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace swage {

// clang-format off
enum class Op : std::uint16_t {
  none,
  // Structure of a trace.
  input,  // a value from outside the window enters it
  cut,    // the window ends
  // Pointwise, unary.
  neg, abs, sign, exp, log, sqrt, rsqrt, square, reciprocal, tanh, sigmoid, sin, cos, relu, floor, logical_not, cast, copy,
  // Pointwise, binary and ternary.
  add, sub, mul, div, tanh_grad, sigmoid_grad, maximum, minimum, eq, ne, lt, le, gt, ge, logical_and, logical_or, assign, where,
  // Reductions over the dimensions in the attribute, by the fixed reduction tree.
  sum, amax, amin, argmax,
  // Contractions.
  matmul, conv2d, conv2d_grad_input, conv2d_grad_weight,
  // Views: no work, another descriptor on the same storage.
  alias, permute, reshape, expand, narrow,
  // Made from nothing.
  full, iota, uniform, normal,
  // Data-dependent addressing.
  gather, scatter_add,
  count_,
};
// clang-format on
inline constexpr int kOps = static_cast<int>(Op::count_);

enum class OpKind : std::uint8_t { structure, pointwise, reduction, contraction, view, fill, random, index };

// Which element types an op takes and gives.
enum class DTypeRule : std::uint8_t {
  none,
  arithmetic,  // f32, f64, i64; all operands and the result alike
  floating,    // f32, f64; all operands and the result alike
  any,         // any type; all operands and the result alike
  compare,     // f32, f64, i64 alike; result bool
  logical,     // bool to bool
  select,      // (bool, T, T) to T
  cast,        // any to the type in the attribute
  to_index,    // f32, f64, i64; result i64
  attribute,   // no operand; the type in the attribute
  gather,      // (T, i64) to T
  scatter,     // (T, i64, T) to T
};

struct OpInfo {
  Op op;
  std::string_view name;
  OpKind kind;
  std::uint8_t arity;  // tensor or scalar operands
  DTypeRule dtypes;
  bool differentiable;  // has a gradient rule
  bool checked;         // its data may be refused at run time (an index out of range)
};

inline constexpr std::array<OpInfo, kOps> kOpTable = {{
    {Op::none, "none", OpKind::structure, 0, DTypeRule::none, false, false},
    {Op::input, "input", OpKind::structure, 1, DTypeRule::none, false, false},
    {Op::cut, "cut", OpKind::structure, 0, DTypeRule::none, false, false},
    {Op::neg, "neg", OpKind::pointwise, 1, DTypeRule::arithmetic, true, false},
    {Op::abs, "abs", OpKind::pointwise, 1, DTypeRule::arithmetic, true, false},
    {Op::sign, "sign", OpKind::pointwise, 1, DTypeRule::arithmetic, true, false},
    {Op::exp, "exp", OpKind::pointwise, 1, DTypeRule::floating, true, false},
    {Op::log, "log", OpKind::pointwise, 1, DTypeRule::floating, true, false},
    {Op::sqrt, "sqrt", OpKind::pointwise, 1, DTypeRule::floating, true, false},
    {Op::rsqrt, "rsqrt", OpKind::pointwise, 1, DTypeRule::floating, true, false},
    {Op::square, "square", OpKind::pointwise, 1, DTypeRule::arithmetic, true, false},
    {Op::reciprocal, "reciprocal", OpKind::pointwise, 1, DTypeRule::floating, true, false},
    {Op::tanh, "tanh", OpKind::pointwise, 1, DTypeRule::floating, true, false},
    {Op::sigmoid, "sigmoid", OpKind::pointwise, 1, DTypeRule::floating, true, false},
    {Op::sin, "sin", OpKind::pointwise, 1, DTypeRule::floating, true, false},
    {Op::cos, "cos", OpKind::pointwise, 1, DTypeRule::floating, true, false},
    {Op::relu, "relu", OpKind::pointwise, 1, DTypeRule::arithmetic, true, false},
    {Op::floor, "floor", OpKind::pointwise, 1, DTypeRule::floating, true, false},
    {Op::logical_not, "logical_not", OpKind::pointwise, 1, DTypeRule::logical, false, false},
    {Op::cast, "cast", OpKind::pointwise, 1, DTypeRule::cast, true, false},
    {Op::copy, "copy", OpKind::pointwise, 1, DTypeRule::any, true, false},
    {Op::add, "add", OpKind::pointwise, 2, DTypeRule::arithmetic, true, false},
    {Op::sub, "sub", OpKind::pointwise, 2, DTypeRule::arithmetic, true, false},
    {Op::mul, "mul", OpKind::pointwise, 2, DTypeRule::arithmetic, true, false},
    {Op::div, "div", OpKind::pointwise, 2, DTypeRule::floating, true, false},
    {Op::tanh_grad, "tanh_grad", OpKind::pointwise, 2, DTypeRule::floating, true, false},
    {Op::sigmoid_grad, "sigmoid_grad", OpKind::pointwise, 2, DTypeRule::floating, true, false},
    {Op::maximum, "maximum", OpKind::pointwise, 2, DTypeRule::arithmetic, true, false},
    {Op::minimum, "minimum", OpKind::pointwise, 2, DTypeRule::arithmetic, true, false},
    {Op::eq, "eq", OpKind::pointwise, 2, DTypeRule::compare, false, false},
    {Op::ne, "ne", OpKind::pointwise, 2, DTypeRule::compare, false, false},
    {Op::lt, "lt", OpKind::pointwise, 2, DTypeRule::compare, false, false},
    {Op::le, "le", OpKind::pointwise, 2, DTypeRule::compare, false, false},
    {Op::gt, "gt", OpKind::pointwise, 2, DTypeRule::compare, false, false},
    {Op::ge, "ge", OpKind::pointwise, 2, DTypeRule::compare, false, false},
    {Op::logical_and, "logical_and", OpKind::pointwise, 2, DTypeRule::logical, false, false},
    {Op::logical_or, "logical_or", OpKind::pointwise, 2, DTypeRule::logical, false, false},
    {Op::assign, "assign", OpKind::pointwise, 2, DTypeRule::any, true, false},
    {Op::where, "where", OpKind::pointwise, 3, DTypeRule::select, true, false},
    {Op::sum, "sum", OpKind::reduction, 1, DTypeRule::arithmetic, true, false},
    {Op::amax, "amax", OpKind::reduction, 1, DTypeRule::arithmetic, true, false},
    {Op::amin, "amin", OpKind::reduction, 1, DTypeRule::arithmetic, true, false},
    {Op::argmax, "argmax", OpKind::reduction, 1, DTypeRule::to_index, false, false},
    {Op::matmul, "matmul", OpKind::contraction, 2, DTypeRule::floating, true, false},
    {Op::conv2d, "conv2d", OpKind::contraction, 2, DTypeRule::floating, true, false},
    {Op::conv2d_grad_input, "conv2d_grad_input", OpKind::contraction, 2, DTypeRule::floating, true, false},
    {Op::conv2d_grad_weight, "conv2d_grad_weight", OpKind::contraction, 2, DTypeRule::floating, true, false},
    {Op::alias, "alias", OpKind::view, 1, DTypeRule::any, true, false},
    {Op::permute, "permute", OpKind::view, 1, DTypeRule::any, true, false},
    {Op::reshape, "reshape", OpKind::view, 1, DTypeRule::any, true, false},
    {Op::expand, "expand", OpKind::view, 1, DTypeRule::any, true, false},
    {Op::narrow, "narrow", OpKind::view, 1, DTypeRule::any, true, false},
    {Op::full, "full", OpKind::fill, 1, DTypeRule::attribute, false, false},
    {Op::iota, "iota", OpKind::fill, 0, DTypeRule::attribute, false, false},
    {Op::uniform, "uniform", OpKind::random, 0, DTypeRule::attribute, false, false},
    {Op::normal, "normal", OpKind::random, 0, DTypeRule::attribute, false, false},
    {Op::gather, "gather", OpKind::index, 2, DTypeRule::gather, true, true},
    {Op::scatter_add, "scatter_add", OpKind::index, 3, DTypeRule::scatter, true, true},
}};

constexpr bool op_table_is_in_order() {
  for (int i = 0; i < kOps; ++i)
    if (kOpTable[static_cast<std::size_t>(i)].op != static_cast<Op>(i)) return false;
  return true;
}
static_assert(op_table_is_in_order());

constexpr const OpInfo& info(Op op) { return kOpTable[static_cast<std::size_t>(op)]; }
constexpr std::string_view name_of(Op op) { return info(op).name; }
constexpr OpKind kind_of(Op op) { return info(op).kind; }
std::optional<Op> op_by_name(std::string_view name);

}  // namespace swage
