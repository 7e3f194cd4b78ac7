// Convolutions that hand on blocked activations: what is blocked, what stays plain, and that the bits stay.
#include <jit/blocking.hpp>

#include <gtest/gtest.h>

#include <jit/inspect.hpp>
#include <kernels/cpu/convolution.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

constexpr std::int64_t kBlock = 16;

Attribute geometry(std::vector<std::int64_t> more = {}) {
  Attribute attribute;
  attribute.ints = {1, 1, 1, 1};
  attribute.ints.insert(attribute.ints.end(), more.begin(), more.end());
  return attribute;
}

// Convolution, batch norm, ReLU, a second convolution, and the gradients of all that.
struct Network {
  TraceBuilder t;
  RecordIndex first = 0, centred = 0, active = 0, second = 0, back = 0, masked = 0;

  explicit Network(std::int64_t channels, std::int64_t images = 3, std::int64_t side = 12) {
    const Dims weight = {channels, channels, 3, 3};
    const auto w1 = t.input(DType::f32, {channels, 3, 3, 3}), w2 = t.input(DType::f32, weight);
    const auto scale = t.view(Op::reshape, t.input(DType::f32, {channels}), {1, channels, 1, 1});
    first = t.op(Op::conv2d, {t.input(DType::f32, {images, 3, side, side}), w1}, geometry());
    const double inverse = 1.0 / static_cast<double>(images * side * side);
    const auto mean = t.op(Op::mul, {t.reduce(Op::sum, first, {0, 2, 3}, true), Arg::scalar(inverse)});
    centred = t.op(Op::sub, {first, mean});
    const auto variance =
        t.op(Op::mul, {t.reduce(Op::sum, t.op(Op::square, {centred}), {0, 2, 3}, true), Arg::scalar(inverse)});
    const auto factor = t.op(Op::mul, {t.op(Op::rsqrt, {t.op(Op::add, {variance, Arg::scalar(1e-5)})}), scale});
    active = t.op(Op::relu, {t.op(Op::mul, {centred, factor})});
    second = t.op(Op::conv2d, {active, w2}, geometry());
    const auto pooled = t.reduce(Op::sum, second, {2, 3}, false);
    t.escape(pooled);
    const auto grad = t.view(Op::expand, t.view(Op::reshape, pooled, {images, channels, 1, 1}), {images, channels, side, side});
    back = t.op(Op::conv2d_grad_input, {t.op(Op::mul, {grad, second}), w2}, geometry({images, channels, side, side}));
    masked = t.op(Op::where, {t.op(Op::le, {active, Arg::scalar(0)}), Arg::scalar(0), back});
    t.escape(t.op(Op::conv2d_grad_weight, {masked, active}, geometry({channels, channels, 3, 3})));
    t.escape(t.reduce(Op::sum, t.op(Op::mul, {masked, centred}), {0, 2, 3}, false));
  }
};

int rank_of(const Trace& trace, RecordIndex i) { return desc_of(trace.results[i]).rank(); }

TEST(Blocking, AChainOfConvolutionsIsBlockedThroughout) {
  Network network(32);
  EscapeMask escapes;
  const Trace trace = network.t.finish(escapes);
  const auto blocked = jit::block_convolutions(trace, escapes, kBlock);
  ASSERT_TRUE(blocked);
  for (RecordIndex i : {network.first, network.centred, network.active, network.second, network.back, network.masked})
    EXPECT_EQ(desc_of(blocked->results[i]).dims, (Dims{3, 2, 12, 12, 16})) << print_record(*blocked, i);
  for (std::size_t i = 0; i < trace.size(); ++i) EXPECT_EQ(blocked->keys[i].op, trace.keys[i].op);
  const Outcome outcome = compare(trace, escapes);
  EXPECT_EQ(outcome.difference, "");
  if (convolution_block() == 0) GTEST_SKIP() << "without AVX-512 the compiler leaves the layouts plain";
  EXPECT_NE(lower_to_text(trace, escapes, Stage::record).find("columns 2 × 3×144 × 16 columns, 3 passes"), std::string::npos)
      << lower_to_text(trace, escapes, Stage::record);
}

TEST(Blocking, LargerReductionsKeepTheirTree) {
  Network network(48, 5, 22);  // 2,420 elements a channel: three blocks of the tree
  EscapeMask escapes;
  const Trace trace = network.t.finish(escapes);
  ASSERT_TRUE(jit::block_convolutions(trace, escapes, kBlock));
  EXPECT_EQ(compare(trace, escapes).difference, "");
}

TEST(Blocking, ChannelsThatFillNoBlockStayPlain) {
  Network network(24);
  EscapeMask escapes;
  const Trace trace = network.t.finish(escapes);
  EXPECT_FALSE(jit::block_convolutions(trace, escapes, kBlock));
  EXPECT_EQ(compare(trace, escapes).difference, "");
}

TEST(Blocking, WhatEscapesStaysPlainWithWhatIsTiedToIt) {
  Network network(16);
  network.t.escape(network.active);
  EscapeMask escapes;
  const Trace trace = network.t.finish(escapes);
  const auto blocked = jit::block_convolutions(trace, escapes, kBlock);
  ASSERT_TRUE(blocked);
  for (RecordIndex i : {network.first, network.centred, network.active, network.back, network.masked})
    EXPECT_EQ(rank_of(*blocked, i), 4) << print_record(*blocked, i);
  EXPECT_EQ(rank_of(*blocked, network.second), 5);
  EXPECT_EQ(compare(trace, escapes).difference, "");
}

// A user of a convolution's result that says nothing of blocks: everything stays as it was.
template <class F>
void expect_plain(F&& use) {
  TraceBuilder t;
  const auto w = t.input(DType::f32, {16, 16, 3, 3});
  const auto y = t.op(Op::conv2d, {t.input(DType::f32, {2, 16, 8, 8}), w}, geometry());
  t.escape(use(t, t.op(Op::mul, {t.op(Op::relu, {y}), Arg::scalar_slot()})));
  EscapeMask escapes;
  const Trace trace = t.finish(escapes);
  EXPECT_FALSE(jit::block_convolutions(trace, escapes, kBlock));
  EXPECT_EQ(compare(trace, escapes).difference, "");
}

TEST(Blocking, AFlattenedResultStaysPlain) {
  expect_plain([](TraceBuilder& t, RecordIndex y) { return t.op(Op::exp, {t.view(Op::reshape, y, {2, 16 * 8 * 8})}); });
}
TEST(Blocking, APermutedResultStaysPlain) {
  expect_plain([](TraceBuilder& t, RecordIndex y) { return t.op(Op::exp, {t.view(Op::permute, y, {0, 2, 3, 1})}); });
}
TEST(Blocking, AReductionOverChannelsStaysPlain) {
  expect_plain([](TraceBuilder& t, RecordIndex y) { return t.reduce(Op::sum, y, {1, 2}, true); });
}
TEST(Blocking, AReductionThatDropsThePixelsStaysPlain) {
  expect_plain([](TraceBuilder& t, RecordIndex y) { return t.reduce(Op::sum, y, {0}, false); });
}
TEST(Blocking, AnOperandOfLowerRankStaysPlain) {
  expect_plain([](TraceBuilder& t, RecordIndex y) { return t.op(Op::add, {y, t.input(DType::f32, {8})}); });
}
TEST(Blocking, AnOperandFromOutsideStaysPlain) {
  expect_plain([](TraceBuilder& t, RecordIndex y) { return t.op(Op::add, {y, t.input(DType::f32, {2, 16, 8, 8})}); });
}

// Between two convolutions, pointwise ops alone: with a mask of one channel, a bias of one pixel, a constant, in place.
TEST(Blocking, PointwiseOpsBetweenConvolutions) {
  TraceBuilder t;
  const auto w = t.input(DType::f32, {32, 32, 3, 3});
  const auto bias = t.view(Op::reshape, t.input(DType::f32, {32}), {1, 32, 1, 1});
  const auto mask = t.input(DType::f32, {1, 1, 9, 9});
  const auto y = t.op(Op::conv2d, {t.input(DType::f32, {2, 32, 9, 9}), w}, geometry());
  Attribute ones;
  ones.ints = {2, 32, 9, 9};
  const auto filled = t.op(Op::full, {Arg::scalar_slot()}, ones);
  auto z = t.op(Op::add, {t.op(Op::mul, {y, mask}), bias});
  z = t.op_(Op::mul, {z, Arg::scalar_slot()});
  z = t.op(Op::maximum, {t.view(Op::alias, z, {}), filled});
  const auto last = t.op(Op::conv2d, {z, w}, geometry());
  t.escape(t.reduce(Op::sum, last, {2, 3}, false));
  EscapeMask escapes;
  const Trace trace = t.finish(escapes);
  const auto blocked = jit::block_convolutions(trace, escapes, kBlock);
  ASSERT_TRUE(blocked);
  for (RecordIndex i : {y, filled, z, last}) EXPECT_EQ(rank_of(*blocked, i), 5) << print_record(*blocked, i);
  EXPECT_EQ(compare(trace, escapes).difference, "");
}

}  // namespace
}  // namespace swage::test
