// Numbers of a program in its code. Symbols are read once, at the function's entry.
#include <jit/cpu/group_emitter.hpp>
#include <runtime/ops/reduction_tree.hpp>

namespace swage::jit {

void GroupEmitter::load_symbols() {
  const mlir::Type i64 = builder_.getI64Type();
  for (int k = 0; k < program_.n_symbols; ++k)
    symbols_.push_back(load_raw(i64, element_at(entry_.getArgument(1), i64, integer(program_.n_scalars + k)), 8));
  if (!row_varies()) return;
  varying_n_ = product(program_.inner);
  varying_blocks_ = divide(add(varying_n_, integer(kReductionBlock - 1)), kReductionBlock);
}

mlir::Value GroupEmitter::number(std::int64_t n) const {
  return is_symbol(n) ? symbols_[static_cast<std::size_t>(symbol_index(n))] : integer(n);
}
mlir::Value GroupEmitter::times(Value a, std::int64_t n) const {
  return is_symbol(n) ? append<mlir::arith::MulIOp>(a, number(n)) : multiply(a, n);
}
mlir::Value GroupEmitter::quotient(Value a, std::int64_t n) const {
  return is_symbol(n) ? append<mlir::arith::DivUIOp>(a, number(n)) : divide(a, n);
}
mlir::Value GroupEmitter::rest_of(Value a, std::int64_t n) const {
  return is_symbol(n) ? append<mlir::arith::RemUIOp>(a, number(n)) : remainder(a, n);
}

mlir::Value GroupEmitter::product(const Dims& numbers) const {
  Value product = integer(1);
  for (std::int64_t n : numbers) product = times(product, n);
  return product;
}

mlir::Value GroupEmitter::row_elements() const { return row_varies() ? varying_n_ : integer(n_); }
mlir::Value GroupEmitter::blocks() const { return row_varies() ? varying_blocks_ : integer(program_.blocks()); }
mlir::Value GroupEmitter::times_blocks(Value a) const {
  return row_varies() ? append<mlir::arith::MulIOp>(a, varying_blocks_) : multiply(a, program_.blocks());
}

std::pair<mlir::Value, mlir::Value> GroupEmitter::by_blocks(Value a) const {
  if (!row_varies()) return {divide(a, program_.blocks()), remainder(a, program_.blocks())};
  return {append<mlir::arith::DivUIOp>(a, varying_blocks_), append<mlir::arith::RemUIOp>(a, varying_blocks_)};
}

std::pair<mlir::Value, mlir::Value> GroupEmitter::by_strips(Value a) const {
  const std::int64_t width = program_.strip * kLanes;
  if (!is_symbol(program_.columns)) {
    const std::int64_t strips = (program_.columns + width - 1) / width;
    return {divide(a, strips), remainder(a, strips)};
  }
  const Value strips = divide(add(number(program_.columns), integer(width - 1)), width);
  return {append<mlir::arith::DivUIOp>(a, strips), append<mlir::arith::RemUIOp>(a, strips)};
}

}  // namespace swage::jit
