#include <runtime/trace/validate.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <runtime/core/error.hpp>
#include <runtime/ops/inference.hpp>

namespace swage {
namespace {

// More than any machine could address; sums over a window and sizes in bytes stay far from overflowing.
constexpr std::int64_t kMostElements = std::int64_t{1} << 47;
constexpr std::size_t kMostInts = 2 + 2 * kMaxRank;  // no op has as many in its attribute

bool is_number(std::int64_t value) { return value > -kMostElements && value < kMostElements; }

bool can_be_addressed(const ViewDesc& desc) {
  std::int64_t elements = 1, last = 0;
  for (int d = 0; d < desc.rank(); ++d) {
    const std::int64_t extent = desc.dims[d], stride = desc.strides[d];
    if (extent < 0 || stride < 0 || extent > kMostElements || stride > kMostElements) return false;
    if (extent > 1 && (elements > kMostElements / extent || stride > kMostElements / extent)) return false;
    elements *= std::max<std::int64_t>(extent, 1);
    last += std::max<std::int64_t>(extent - 1, 0) * stride;
    if (last > kMostElements) return false;
  }
  return true;
}

std::string wrong_input(const Trace& trace, RecordIndex i) {
  const KeyHalf& key = trace.keys[i];
  const auto before = static_cast<RecordIndex>(key.operands[0].ref);
  if (before > i) return "it names a storage that does not stand before it";
  if (before > 0 && storage_of(trace.keys[i - before], i - before, trace.storages) != i - before)
    return "it names a record that is no storage";
  return trace.results[i] == key.operands[0].desc ? "" : "its result is another than what enters";
}

std::string wrong_op(const Trace& trace, RecordIndex i) {
  const KeyHalf& key = trace.keys[i];
  OperandType types[3];
  for (int k = 0; k < key.n_operands; ++k) {
    const OperandKey& operand = key.operands[k];
    if (!operand.is_tensor()) {
      types[k].scalar = static_cast<DType>(operand.desc);
      continue;
    }
    if (static_cast<RecordIndex>(operand.ref) > i) return fmt::format("operand {} does not stand before it", k);
    if (trace.results[trace.operand(i, k)] != operand.desc) return fmt::format("operand {} is another than what it names", k);
    types[k].desc = &desc_of(operand.desc);
  }
  try {
    const ViewDesc result = infer(key.op, attribute_of(key.attr), std::span(types, key.n_operands), key.in_place(), {});
    const ViewDesc& stored = desc_of(trace.results[i]);
    if (stored == result) return "";
    return fmt::format("its result is {}, where {} follows from its operands", to_string(stored), to_string(result));
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

std::string what_is_wrong(const KeyHalf& key) {
  if (static_cast<std::size_t>(key.op) >= static_cast<std::size_t>(kOps) || key.op == Op::none) return "there is no such op";
  if (key.n_operands != info(key.op).arity) return fmt::format("it has {} operands", key.n_operands);
  const bool is_input = key.op == Op::input;
  const std::uint8_t flags = is_input ? KeyHalf::kAtOnce : key.op == Op::cut ? 0 : KeyHalf::kInPlace;
  if (key.flags & ~flags) return "its flags are unknown";
  const Attribute& attribute = attribute_of(key.attr);
  if (attribute.ints.size() > kMostInts || !std::ranges::all_of(attribute.ints, is_number)) return "its attribute is none";
  if (key.op == Op::cut && attribute.ints.size() != 1) return "it has no reason";
  for (int k = 0; k < 3; ++k) {
    const OperandKey& operand = key.operands[k];
    if (k >= key.n_operands) {
      if (!(operand == OperandKey{})) return "it has an operand too many";
    } else if (operand.is_tensor() || is_input) {
      if (operand.ref < 0) return "a scalar enters";
      if (!can_be_addressed(desc_of(operand.desc))) return "an operand is larger than can be addressed";
    } else if (operand.ref != kScalarSlot && operand.ref != kLiteral) {
      return fmt::format("operand {} is nothing", k);
    } else if (operand.desc != static_cast<DescId>(DType::f64) && operand.desc != static_cast<DescId>(DType::i64)) {
      return fmt::format("operand {} is a scalar of no class", k);
    }
  }
  return "";
}

std::string what_is_wrong(const Trace& given) {
  Trace trace;
  const auto n = static_cast<RecordIndex>(given.size());
  if (n == 0 || given.results.size() != n) return "it has no records";
  for (RecordIndex i = 0; i < n; ++i) {
    const KeyHalf& key = given.keys[i];
    trace.keys.push_back(key);
    trace.results.push_back(given.results[i]);
    std::string wrong = what_is_wrong(key);
    const bool is_last = i + 1 == n;
    if (wrong.empty() && (key.op == Op::cut) != is_last) wrong = is_last ? "it is no cut" : "a cut in the middle";
    if (wrong.empty() && key.op != Op::cut) wrong = key.op == Op::input ? wrong_input(trace, i) : wrong_op(trace, i);
    if (wrong.empty() && key.op != Op::cut && !can_be_addressed(desc_of(given.results[i])))
      wrong = "its result is larger than can be addressed";
    if (!wrong.empty()) return fmt::format("record {}: {}", i, wrong);
    trace.storages.push_back(storage_of(key, i, trace.storages));
  }
  return "";
}

std::string what_is_wrong(const Trace& trace, const EscapeMask& escapes) {
  if (escapes.words().size() != EscapeMask(trace.size()).words().size()) return "it is of a trace of another size";
  for (RecordIndex i = 0; i < escapes.words().size() * 64; ++i) {
    if (!escapes.test(i)) continue;
    if (i >= trace.size() || trace.keys[i].op == Op::cut || trace.is_input(i) || trace.storages[i] != i)
      return fmt::format("record {} makes no storage that could escape", i);
  }
  return "";
}

}  // namespace swage
