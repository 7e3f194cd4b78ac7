// Every pointwise row of the op table, every type that it takes, compiled against the kernels.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <runtime/core/error.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

constexpr DType kTypes[] = {DType::boolean, DType::i64, DType::f32, DType::f64};

// The operand types of one row: none where the row does not take `dtype`.
std::vector<DType> operand_types(const OpInfo& row, DType dtype) {
  const bool number = dtype != DType::boolean;
  switch (row.dtypes) {
    case DTypeRule::arithmetic:
    case DTypeRule::compare:
      if (!number) return {};
      break;
    case DTypeRule::floating:
      if (!is_float(dtype)) return {};
      break;
    case DTypeRule::logical:
      if (number) return {};
      break;
    default: break;
  }
  std::vector<DType> types(row.arity, dtype);
  if (row.dtypes == DTypeRule::select) types[0] = DType::boolean;
  return types;
}

// Feeds a result to a second op, so that it shares a group.
void use(TraceBuilder& trace, RecordIndex value) {
  Attribute to;
  to.dtype = trace.desc(value).dtype == DType::f64 ? DType::f32 : DType::f64;
  trace.escape(trace.op(Op::cast, {value}, to));
  trace.escape(value);
}

class Pointwise : public testing::TestWithParam<int> {};

TEST_P(Pointwise, HasTheKernelsBits) {
  const OpInfo& row = kOpTable[static_cast<std::size_t>(GetParam())];
  int compared = 0;
  for (DType dtype : kTypes) {
    const std::vector<DType> types = operand_types(row, dtype);
    if (types.empty()) continue;
    for (const Dims& dims : {Dims{5, 31}, Dims{64}, Dims{}}) {
      for (int scalar_at = -1; scalar_at < row.arity; ++scalar_at) {
        if (scalar_at >= 0 && (row.arity == 1 || (row.dtypes == DTypeRule::select && scalar_at == 0))) continue;
        if (row.op == Op::assign && scalar_at == 0) continue;
        for (DType to : kTypes) {
          if (row.op != Op::cast && to != DType::f32) continue;
          TraceBuilder trace;
          std::vector<Arg> args;
          for (int k = 0; k < row.arity; ++k) {
            if (k == scalar_at)
              args.push_back(Arg::scalar_slot(is_float(dtype) && k % 2 ? DType::f64 : DType::i64));
            else
              args.emplace_back(trace.input(types[static_cast<std::size_t>(k)], dims));
          }
          Attribute attribute;
          attribute.dtype = to;
          try {
            use(trace, trace.op(row.op, args, attribute, row.op == Op::assign));
          } catch (const Error&) {
            continue;  // the row takes no scalar of this class
          }
          EscapeMask escapes;
          const Trace finished = trace.finish(escapes);
          const Outcome outcome = compare(finished, escapes, 7);
          ASSERT_EQ(outcome.difference, "") << print(finished, &escapes);
          ASSERT_EQ(outcome.compiled.groups, 1u) << print(finished, &escapes);
          ++compared;
        }
      }
    }
  }
  EXPECT_GT(compared, 0);
}

std::vector<int> pointwise_rows() {
  std::vector<int> rows;
  for (int i = 0; i < kOps; ++i)
    if (kind_of(static_cast<Op>(i)) == OpKind::pointwise) rows.push_back(i);
  return rows;
}
INSTANTIATE_TEST_SUITE_P(Ops, Pointwise, testing::ValuesIn(pointwise_rows()),
                         [](const auto& test) { return std::string(name_of(static_cast<Op>(test.param))); });

}  // namespace
}  // namespace swage::test
