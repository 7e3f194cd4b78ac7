#include <test/jit/trace_builder.hpp>

namespace swage::test {

RecordIndex TraceBuilder::push(const KeyHalf& key, DescId result) {
  const auto i = static_cast<RecordIndex>(trace_.size());
  trace_.keys.push_back(key);
  trace_.results.push_back(result);
  storages_.push_back(storage_of(key, i, storages_));
  return i;
}

RecordIndex TraceBuilder::input(const ViewDesc& desc) {
  KeyHalf key;
  key.op = Op::input;
  key.n_operands = 1;
  key.operands[0] = {0, intern(desc)};
  return push(key, intern(desc));
}

RecordIndex TraceBuilder::input_alias(RecordIndex of, const ViewDesc& desc) {
  KeyHalf key;
  key.op = Op::input;
  key.n_operands = 1;
  key.operands[0] = {static_cast<std::int32_t>(trace_.size() - storages_[of]), intern(desc)};
  return push(key, intern(desc));
}

RecordIndex TraceBuilder::op(Op op, std::vector<Arg> args, Attribute attribute, bool in_place) {
  KeyHalf key;
  key.op = op;
  key.n_operands = static_cast<std::uint8_t>(args.size());
  key.flags = in_place ? KeyHalf::kInPlace : 0;
  std::vector<OperandType> types;
  for (std::size_t k = 0; k < args.size(); ++k) {
    const Arg& arg = args[k];
    if (arg.kind == Arg::tensor) {
      key.operands[k] = {static_cast<std::int32_t>(trace_.size() - arg.record), trace_.results[arg.record]};
      types.push_back({&desc(arg.record), DType::f64});
      continue;
    }
    key.operands[k] = {arg.kind == Arg::slot ? kScalarSlot : kLiteral, static_cast<DescId>(arg.scalar_class)};
    if (arg.kind == Arg::literal) attribute.real = arg.real;
    types.push_back({nullptr, arg.scalar_class});
  }
  const ViewDesc result = infer(op, attribute, types, in_place, {});
  key.attr = intern(attribute);
  return push(key, intern(result));
}

RecordIndex TraceBuilder::reduce(Op op, RecordIndex x, std::vector<std::int64_t> dims, bool keepdim) {
  Attribute attribute;
  attribute.ints.push_back(keepdim);
  attribute.ints.insert(attribute.ints.end(), dims.begin(), dims.end());
  return this->op(op, {x}, attribute);
}

RecordIndex TraceBuilder::view(Op op, RecordIndex x, std::vector<std::int64_t> ints) {
  Attribute attribute;
  attribute.ints = std::move(ints);
  return this->op(op, {x}, attribute);
}

Trace TraceBuilder::finish(EscapeMask& escapes) {
  KeyHalf cut;
  cut.op = Op::cut;
  push(cut, 0);
  complete(trace_);
  escapes = EscapeMask(trace_.size());
  for (RecordIndex i : escaping_) escapes.set(i);
  return trace_;
}

}  // namespace swage::test
