// What the ground floor needs from the kernels: for each op, a function that runs it. `kernels/` fills the table.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include <runtime/ops/attributes.hpp>
#include <runtime/ops/op.hpp>
#include <runtime/trace/op_record.hpp>

namespace swage {

struct KernelView {
  void* data = nullptr;  // address of the first element; null for scalars
  const ViewDesc* desc = nullptr;
};

// One execution. Operand k is a tensor (data not null or numel 0), or a scalar where `key.operands[k].is_scalar()`.
struct KernelArgs {
  const KeyHalf* key = nullptr;
  const Attribute* attribute = nullptr;
  KernelView operands[3];
  KernelView result;        // in place: the same view as operand 0. Never overlaps an operand otherwise.
  ScalarValue scalar{};     // value of a kScalarSlot operand; random ops: integer = seed
  std::int64_t offset = 0;  // random ops: Philox offset
};

// The value of scalar operand k, as a double or an integer by its class.
struct ScalarOperand {
  DType kind;  // f64 or i64
  ScalarValue value;
  template <class T>
  T as() const {
    return kind == DType::i64 ? static_cast<T>(value.integer) : static_cast<T>(value.real);
  }
};
inline ScalarOperand scalar_operand(const KernelArgs& args, int k) {
  const OperandKey& operand = args.key->operands[k];
  const DType kind = static_cast<DType>(operand.desc);
  if (operand.ref == kScalarSlot) return {kind, args.scalar};
  ScalarValue literal;
  if (kind == DType::i64)
    literal.integer = static_cast<std::int64_t>(args.attribute->real);
  else
    literal.real = args.attribute->real;
  return {kind, literal};
}

// Computes the whole result, splitting it over num_threads() by a fixed rule. Must not throw but for MemoryError before the
// first write.
using Kernel = void (*)(const KernelArgs& args);
// For `checked` ops: what is wrong with the data (without op name and site), or nothing. Reads only.
using KernelCheck = std::optional<std::string> (*)(const KernelArgs& args);

struct KernelTable {
  std::array<Kernel, kOps> run{};
  std::array<KernelCheck, kOps> check{};

  Kernel operator[](Op op) const { return run[static_cast<std::size_t>(op)]; }
};

}  // namespace swage
