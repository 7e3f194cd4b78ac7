// Where a thread stands, and values of nodes there.
#include <algorithm>
#include <cmath>

#include <jit/cuda/kernel_emitter.hpp>
#include <runtime/core/error.hpp>

namespace swage::jit::cuda {
namespace {

bool moves(const Dims& strides) {
  return std::any_of(strides.begin(), strides.end(), [](std::int64_t stride) { return stride != 0; });
}

}  // namespace

KernelEmitter::Values KernelEmitter::positions(Value index, const Dims& extents) {
  Values result(static_cast<std::size_t>(extents.rank()));
  for (int d = extents.rank() - 1; d >= 0; --d) {
    result[static_cast<std::size_t>(d)] = d == 0 ? index : remainder(index, extents[d]);
    if (d > 0) index = divide(index, extents[d]);
  }
  return result;
}

mlir::Value KernelEmitter::offset_of(Value start, const Values& index, const Dims& strides) {
  Value offset = start;
  for (int d = 0; d < strides.rank(); ++d) {
    if (strides[d] == 0) continue;
    const Value term = multiply(index[static_cast<std::size_t>(d)], strides[d]);
    offset = offset ? add(offset, term) : term;
  }
  return offset;
}

void KernelEmitter::enter_row(Value row) {
  Value column;
  if (program_.form == Form::columns) {
    column = remainder(row, program_.columns);
    row = divide(row, program_.columns);
  }
  const Values outer = positions(row, program_.outer);
  for (std::size_t p = 0; p < row_offsets_.size(); ++p) {
    const Pointer& pointer = program_.pointers[p];
    row_offsets_[p] = offset_of({}, outer, pointer.outer);
    if (column) row_offsets_[p] = offset_of(row_offsets_[p], {column}, pointer.vector);
  }
  for (std::size_t k = 0; k < row_.size(); ++k)
    if (!uniform_[k]) row_[k] = {};
}

void KernelEmitter::start_element(Value index) {
  position_ = positions(index, program_.inner);
  here_.assign(program_.nodes.size(), {});
}

mlir::Value KernelEmitter::index_of(int pointer) const {
  const auto p = static_cast<std::size_t>(pointer);
  const Value index = offset_of(row_offsets_[p], position_, program_.pointers[p].inner);
  return index ? index : integer(0);
}

// What no store depends on is not computed.
void KernelEmitter::find_needed() {
  needed_.assign(program_.nodes.size(), false);
  for (const Store& store : program_.stores) needed_[static_cast<std::size_t>(store.node)] = true;
  for (std::size_t k = program_.nodes.size(); k-- > 0;)
    for (int arg : program_.nodes[k].args)
      if (arg >= 0 && needed_[k]) needed_[static_cast<std::size_t>(arg)] = true;
}

void KernelEmitter::uniform_values() {
  uniform_.assign(program_.nodes.size(), false);
  for (std::size_t k = 0; k < row_.size(); ++k) {
    const Node& node = program_.nodes[k];
    uniform_[k] = node.kind == Node::Kind::slot || node.kind == Node::Kind::literal;
    if (!uniform_[k] || !needed_[k]) continue;
    if (node.kind == Node::Kind::slot) {
      const auto argument = static_cast<unsigned>(program_.pointers.size()) + static_cast<unsigned>(node.index);
      row_[k] = emit_cast(node.scalar_class, node.dtype, entry_.getArgument(argument));
    } else {
      row_[k] = emit_constant(node.dtype, node.scalar_class == DType::i64 ? std::trunc(node.real) : node.real);
    }
  }
}

mlir::Value KernelEmitter::compute(int k, const std::function<Value(int)>& arg) {
  const Node& node = this->node(k);
  if (node.kind == Node::Kind::load)
    return load(node.dtype, entry_.getArgument(static_cast<unsigned>(node.index)), index_of(node.index));
  llvm::SmallVector<Value, 3> operands;
  DType dtype = node.dtype;
  for (int a : node.args) {
    if (a < 0) continue;
    operands.push_back(arg(a));
    dtype = this->node(a).dtype;  // of the last operand
  }
  if (node.op == Op::cast) return emit_cast(dtype, node.dtype, operands[0]);
  return emit_pointwise(node.op, dtype, operands);
}

void KernelEmitter::ready_row_values() {
  position_.assign(static_cast<std::size_t>(program_.inner.rank()), {});  // nothing here walks the row
  for (std::size_t k = 0; k < row_.size(); ++k) {
    const Node& node = program_.nodes[k];
    if (row_[k] || !needed_[k] || node.level != Level::row || node.kind == Node::Kind::reduce) continue;
    const bool ready = std::all_of(std::begin(node.args), std::end(node.args),
                                   [&](int arg) { return arg < 0 || row_[static_cast<std::size_t>(arg)]; });
    if (ready) row_[k] = compute(static_cast<int>(k), [&](int arg) { return row_[static_cast<std::size_t>(arg)]; });
  }
}

mlir::Value KernelEmitter::value(int k) {
  if (row_[static_cast<std::size_t>(k)]) return row_[static_cast<std::size_t>(k)];
  Value& known = here_[static_cast<std::size_t>(k)];
  if (known) return known;
  if (node(k).kind == Node::Kind::reduce) throw CompileError("a value of the row that is needed before it is known");
  known = compute(k, [&](int arg) { return value(arg); });
  return known;
}

bool KernelEmitter::stored_along(const Store& store) const {
  return program_.reductions() == 0 || moves(program_.pointers[static_cast<std::size_t>(store.pointer)].inner);
}

void KernelEmitter::store_elements(int pass) {
  llvm::SmallVector<std::pair<const Store*, Value>> values;  // all loads come before the first store
  for (const Store& store : program_.stores)
    if (store.pass == pass && stored_along(store)) values.emplace_back(&store, value(store.node));
  for (const auto& [store, value] : values) {
    const DType dtype = program_.pointers[static_cast<std::size_t>(store->pointer)].dtype;
    cuda::store(dtype, value, entry_.getArgument(static_cast<unsigned>(store->pointer)), index_of(store->pointer));
  }
}

}  // namespace swage::jit::cuda
