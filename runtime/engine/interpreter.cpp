#include <runtime/engine/interpreter.hpp>

namespace swage {

std::int64_t result_offset(const Trace& trace, RecordIndex i, std::span<const ValueHalf> values) {
  while (trace.keys[i].in_place()) i = trace.operand(i, 0);
  const Op op = trace.keys[i].op;
  return op == Op::input || kind_of(op) == OpKind::view ? values[i].offset : 0;
}

KernelArgs Interpreter::arguments(const Trace& trace, RecordIndex i, std::span<const ValueHalf> values,
                                  std::span<void* const> storages) {
  const KeyHalf& key = trace.keys[i];
  KernelArgs args;
  args.key = &key;
  args.attribute = &attribute_of(key.attr);
  args.scalar = values[i].scalar;
  args.offset = values[i].offset;
  const auto view_of = [&](RecordIndex record, DescId desc) {
    const ViewDesc& view = desc_of(desc);
    char* start = static_cast<char*>(storages[trace.storages[record]]);
    const auto step = static_cast<std::int64_t>(size_of(view.dtype));
    return KernelView{start + result_offset(trace, record, values) * step, &view};
  };
  for (int k = 0; k < key.n_operands; ++k)
    if (key.operands[k].is_tensor()) args.operands[k] = view_of(trace.operand(i, k), key.operands[k].desc);
  args.result = view_of(i, trace.results[i]);
  return args;
}

void Interpreter::run(const Trace& trace, RecordIndex i, std::span<const ValueHalf> values,
                      std::span<void* const> storages) const {
  const Op op = trace.keys[i].op;
  if (kind_of(op) == OpKind::structure || kind_of(op) == OpKind::view) return;
  (*kernels_)[op](arguments(trace, i, values, storages));
}

std::optional<CheckFailure> Interpreter::check(const Trace& trace, RecordIndex i, std::span<const ValueHalf> values,
                                               std::span<void* const> storages) const {
  const Op op = trace.keys[i].op;
  if (!info(op).checked) return std::nullopt;
  auto wrong = kernels_->check[static_cast<std::size_t>(op)](arguments(trace, i, values, storages));
  if (!wrong) return std::nullopt;
  return CheckFailure{i, std::move(*wrong)};
}

}  // namespace swage
