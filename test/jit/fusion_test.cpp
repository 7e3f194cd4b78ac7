// What fuses: the shapes of training steps, as groups.
#include <jit/fusion.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <jit/inspect.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

struct Expected {
  std::size_t groups;
  std::size_t library_calls;
};

void expect_groups(TraceBuilder& builder, Expected expected) {
  EscapeMask escapes;
  const Trace trace = builder.finish(escapes);
  const Outcome outcome = compare(trace, escapes, 3);
  EXPECT_EQ(outcome.difference, "");
  EXPECT_EQ(outcome.compiled.groups, expected.groups) << lower_to_text(trace, escapes, Stage::record);
  EXPECT_EQ(outcome.compiled.library_calls, expected.library_calls) << lower_to_text(trace, escapes, Stage::record);
}

TEST(Fusion, MomentumUpdateIsOneGroup) {
  TraceBuilder t;
  const auto parameter = t.input(DType::f32, {30, 7}), velocity = t.input(DType::f32, {30, 7});
  const auto grad = t.input(DType::f32, {30, 7});
  const auto decayed = t.op(Op::add, {grad, t.op(Op::mul, {parameter, Arg::scalar_slot()})});
  const auto v1 = t.op_(Op::mul, {velocity, Arg::scalar_slot()});
  const auto v2 = t.op_(Op::add, {v1, decayed});
  t.op_(Op::sub, {parameter, t.op(Op::mul, {v2, Arg::scalar_slot()})});
  expect_groups(t, {1, 0});
}

void adam(TraceBuilder& t, const Dims& dims) {
  const auto parameter = t.input(DType::f32, dims), m = t.input(DType::f32, dims), v = t.input(DType::f32, dims);
  const auto grad = t.input(DType::f32, dims);
  const auto m1 = t.op_(Op::mul, {m, Arg::scalar_slot()});
  const auto m2 = t.op_(Op::add, {m1, t.op(Op::mul, {grad, Arg::scalar_slot()})});
  const auto v1 = t.op_(Op::mul, {v, Arg::scalar_slot()});
  const auto v2 = t.op_(Op::add, {v1, t.op(Op::mul, {t.op(Op::square, {grad}), Arg::scalar_slot()})});
  const auto root = t.op(Op::add, {t.op(Op::sqrt, {t.op(Op::div, {v2, Arg::scalar_slot()})}), Arg::scalar(1e-8)});
  const auto step = t.op(Op::div, {t.op(Op::div, {m2, Arg::scalar_slot()}), root});
  t.op_(Op::sub, {parameter, t.op(Op::mul, {step, Arg::scalar_slot()})});
}

TEST(Fusion, AdamIsOneGroupAParameter) {
  TraceBuilder t;
  adam(t, {64, 10});
  expect_groups(t, {1, 0});
}

TEST(Fusion, EqualParametersShareCode) {
  TraceBuilder t;
  for (int k = 0; k < 6; ++k) adam(t, {100});
  expect_groups(t, {6, 0});
}

TEST(Fusion, AReadOfOtherElementsWaits) {
  TraceBuilder t;
  const auto x = t.input(DType::f32, {8, 8});
  const auto y = t.op(Op::exp, {t.op(Op::neg, {x})});
  const auto z = t.op(Op::neg, {t.op(Op::add, {x, t.view(Op::permute, y, {1, 0})})});
  t.escape(z);
  expect_groups(t, {2, 0});
}

TEST(Fusion, AWriteWaitsForReadersOfOtherElements) {
  TraceBuilder t;
  const auto x = t.input(DType::f32, {8, 8});
  const auto y = t.op(Op::neg, {t.op(Op::exp, {t.view(Op::permute, x, {1, 0})})});
  t.escape(y);
  t.op_(Op::add, {t.op_(Op::mul, {x, Arg::scalar(2)}), Arg::scalar(1)});
  expect_groups(t, {2, 0});
}

TEST(Fusion, LogSoftmaxAndItsGradientAreOneGroupEach) {
  TraceBuilder t;
  const auto x = t.input(DType::f32, {32, 10});
  const auto shifted = t.op(Op::sub, {x, t.reduce(Op::amax, x, {1}, true)});
  const auto total = t.reduce(Op::sum, t.op(Op::exp, {shifted}), {1}, true);
  const auto y = t.op(Op::sub, {shifted, t.op(Op::log, {total})});
  t.escape(y);
  expect_groups(t, {1, 0});
}

TEST(Fusion, LayerNormIsOneGroup) {
  TraceBuilder t;
  const auto x = t.input(DType::f32, {6, 5, 72}), weight = t.input(DType::f32, {72}), bias = t.input(DType::f32, {72});
  const auto mean = t.op(Op::mul, {t.reduce(Op::sum, x, {2}, true), Arg::scalar(1.0 / 72)});
  const auto centred = t.op(Op::sub, {x, mean});
  const auto variance = t.op(Op::mul, {t.reduce(Op::sum, t.op(Op::square, {centred}), {2}, true), Arg::scalar(1.0 / 72)});
  const auto scale = t.op(Op::rsqrt, {t.op(Op::add, {variance, Arg::scalar(1e-5)})});
  t.escape(t.op(Op::add, {t.op(Op::mul, {t.op(Op::mul, {centred, scale}), weight}), bias}));
  expect_groups(t, {1, 0});
}

void batch_norm(TraceBuilder& t, const Dims& dims) {
  const auto x = t.input(DType::f32, dims), weight = t.input(DType::f32, {dims[1]});
  const auto running = t.input(DType::f32, {dims[1]});
  const double inverse = static_cast<double>(dims[1]) / static_cast<double>(dims.product());
  const std::vector<std::int64_t> channel = {1, dims[1], 1, 1};
  const auto mean = t.op(Op::mul, {t.reduce(Op::sum, x, {0, 2, 3}, false), Arg::scalar(inverse)});
  t.op_(Op::add, {t.op_(Op::mul, {running, Arg::scalar(0.9)}), t.op(Op::mul, {mean, Arg::scalar(0.1)})});
  const auto centred = t.op(Op::sub, {x, t.view(Op::reshape, mean, channel)});
  const auto variance = t.op(Op::mul, {t.reduce(Op::sum, t.op(Op::square, {centred}), {0, 2, 3}, false), Arg::scalar(inverse)});
  const auto scale = t.op(Op::mul, {t.op(Op::rsqrt, {t.op(Op::add, {variance, Arg::scalar(1e-5)})}), weight});
  t.escape(t.op(Op::relu, {t.op(Op::mul, {centred, t.view(Op::reshape, scale, channel)})}));
}

TEST(Fusion, BatchNormOfImagesIsOneGroup) {
  TraceBuilder t;
  batch_norm(t, {8, 6, 8, 8});
  expect_groups(t, {1, 0});
}

TEST(Fusion, BatchNormOfOddImagesIsOneGroup) {
  TraceBuilder t;
  batch_norm(t, {4, 3, 7, 7});
  expect_groups(t, {1, 0});
}

TEST(Fusion, BiasGradientsOfOneTensorShareAGroup) {
  TraceBuilder t;
  const auto grad = t.input(DType::f32, {1100, 50}), x = t.input(DType::f32, {1100, 50});
  t.escape(t.reduce(Op::sum, t.op(Op::mul, {grad, x}), {0}, false));
  t.escape(t.reduce(Op::sum, grad, {0}, false));
  expect_groups(t, {1, 0});
}

TEST(Fusion, ALossIsOneGroup) {
  TraceBuilder t;
  const auto x = t.input(DType::f32, {500, 9}), y = t.input(DType::f32, {500, 9});
  const auto squares = t.op(Op::square, {t.op(Op::sub, {x, y})});
  t.escape(t.op(Op::mul, {t.reduce(Op::sum, squares, {0, 1}, false), Arg::scalar(1.0 / 4500)}));
  expect_groups(t, {1, 0});
}

// Wherever one group ends and the next begins, the notes say why.
TEST(Fusion, EveryBoundaryHasItsReason) {
  TraceBuilder t;
  const auto x = t.input(DType::f32, {8, 8}), other = t.input(DType::f32, {5, 3});
  t.escape(t.op(Op::neg, {x}));                   // group 0
  const auto product = t.op(Op::matmul, {x, x});  // group 1
  t.escape(t.op(Op::exp, {product}));             // group 2
  t.escape(t.reduce(Op::sum, other, {1}, true));  // group 3
  EscapeMask escapes;
  const Trace trace = t.finish(escapes);
  const jit::Grouping grouping = jit::group_records(trace, {});
  ASSERT_EQ(grouping.groups.size(), 4u);
  const auto record = [&](std::size_t group) { return grouping.groups[group].records.front(); };
  EXPECT_THAT(
      grouping.notes,
      testing::ElementsAre(fmt::format("record {} (matmul) is not in group 0: it runs as a library call", record(1)),
                           fmt::format("record {} (exp) is not in group 1: that is a library call", record(2)),
                           fmt::format("record {} (sum) is not in group 2: it reduces over other dimensions", record(3))));
}

}  // namespace
}  // namespace swage::test
