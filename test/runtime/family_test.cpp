// Families in the engine: sizes not seen before are foreseen, and every miss says what differed.
#include <runtime/trace/family.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <runtime/engine/event_log.hpp>
#include <runtime/trace/derive.hpp>
#include <runtime/trace/difference.hpp>
#include <test/runtime/fakes.hpp>

namespace swage::fake {
namespace {

Array filled(const Dims& dims, float first) {
  std::vector<float> data(static_cast<std::size_t>(dims.product()));
  std::iota(data.begin(), data.end(), first);
  return Array(dims, std::move(data));
}

// A mean over a batch, its square added to a weight.
std::vector<float> train(std::int64_t n, const Array& weight) {
  const Array x = filled({n, 3}, static_cast<float>(n));
  const Array mean =
      with_literal(Op::mul, call(Op::sum, {x * weight}, {{0, 0, 1}, 0, DType::f32}), 1.0 / static_cast<double>(n));
  return (mean * mean + weight).read();
}

EngineStats operator-(EngineStats a, const EngineStats& b) {
  a.hits -= b.hits;
  a.misses -= b.misses;
  a.side_exits -= b.side_exits;
  a.windows -= b.windows;
  a.compiles -= b.compiles;
  a.assembled -= b.assembled;
  return a;
}

class FamilyTest : public EngineTest {
 protected:
  FamilyTest() { control().knows_code = true; }
  // Runs sizes in turn and gives what the engine did in the last ones, from the `from`th on.
  static EngineStats run(const std::function<std::vector<float>(std::int64_t)>& body, const std::vector<std::int64_t>& sizes,
                         std::size_t from) {
    const Tier tier = engine_options().tier;
    EngineOptions options = engine_options();
    options.tier = Tier::eager;
    set_engine_options(options);
    std::vector<std::vector<float>> expected, got;
    for (std::int64_t n : sizes) expected.push_back(body(n));
    options.tier = tier;
    set_engine_options(options);
    EngineStats before;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      if (i == from) before = engine_stats();
      got.push_back(body(sizes[i]));
    }
    EXPECT_EQ(got, expected);
    return engine_stats() - before;
  }
  static std::size_t count(EventCode code) {
    return static_cast<std::size_t>(std::ranges::count(event_log().events(), code, &Event::code));
  }
};

TEST_F(FamilyTest, ASizeNeverSeenHitsAtOnce) {
  const Array weight = filled({3}, 1);
  const auto stats = run([&](std::int64_t n) { return train(n, weight); }, {5, 5, 5, 9, 9, 9, 7, 30, 2, 64, 7, 9}, 6);
  EXPECT_EQ(stats.hits, 6u);
  EXPECT_EQ(stats.side_exits, 0u);
  EXPECT_EQ(stats.compiles, 0u);
  EXPECT_EQ(stats.assembled, 4u);
}

TEST_F(FamilyTest, OneIsNotPredicted) {
  const Array weight = filled({3}, 1);
  const auto stats = run([&](std::int64_t n) { return train(n, weight); }, {5, 5, 5, 9, 9, 9, 1, 8}, 6);
  EXPECT_EQ(stats.hits, 1u);
}

TEST_F(FamilyTest, WithoutCodeTheSecondTimeHits) {
  control().knows_code = false;
  const Array weight = filled({3}, 1);
  const auto stats = run([&](std::int64_t n) { return train(n, weight); }, {5, 5, 5, 9, 9, 9, 7, 7, 30, 30}, 6);
  EXPECT_EQ(stats.hits, 2u);
  EXPECT_EQ(stats.compiles, 2u);  // the fake's; code that is shared would have been assembled
}

TEST_F(FamilyTest, ALiteralOfAnotherKindIsNotForeseenAndStaysRight) {
  const auto body = [](std::int64_t n) {
    return with_literal(Op::mul, -filled({n, 2}, 1), std::sqrt(static_cast<double>(n))).read();
  };
  const auto stats = run(body, {5, 5, 5, 9, 9, 9, 7, 7, 7}, 6);
  EXPECT_EQ(stats.hits, 2u);  // planned at its first sight, for its family's sake
  EXPECT_EQ(stats.misses, 1u);
}

TEST_F(FamilyTest, AProgramThatDoesOtherwiseForOneSizeLeaves) {
  const auto body = [](std::int64_t n) {
    const Array x = -filled({n, 2}, 1);
    return (n % 7 == 0 ? x * x + x : x + x).read();
  };
  const auto stats = run(body, {5, 5, 5, 9, 9, 9, 7, 7, 14, 14, 8}, 6);
  EXPECT_GE(stats.hits, 1u);
  EXPECT_GE(stats.side_exits, 2u);
}

// Two windows that begin alike, and part after the input that tells the size.
TEST_F(FamilyTest, FamiliesThatBeginAlikeAreAllForeseen) {
  int step = 0;
  const auto body = [&](std::int64_t n) {
    const Array x = filled({n, 2}, 1);
    return (++step % 2 == 0 ? -x : x * x + x).read();
  };
  const auto stats = run(body, {5, 5, 5, 5, 5, 5, 9, 9, 9, 9, 9, 9, 7, 7, 11, 11}, 12);
  EXPECT_EQ(stats.hits, 4u);
  EXPECT_EQ(stats.side_exits, 0u);
}

TEST_F(FamilyTest, GuessesThatFailAgainAndAgainStop) {
  const auto body = [](std::int64_t n) {
    Array x = -filled({n, 2}, 1);
    const bool usual = n == 5 || n == 9;
    x = usual ? x + x : with_literal(Op::add, x, static_cast<double>(n % 13) * 1.25);
    return (x * x).read();
  };
  std::vector<std::int64_t> sizes = {5, 5, 5, 9, 9, 9};
  for (std::int64_t n = 20; n < 60; ++n) sizes.push_back(n);
  const auto stats = run(body, sizes, 6);
  EXPECT_LE(stats.side_exits, 8u);
}

// Sizes that never come back do not pay for their plans: once what was lent is used up, they run eagerly.
TEST_F(FamilyTest, SizesThatNeverComeBackAreLentNoMoreThanALittle) {
  const Array weight = filled({3}, 1);
  EngineOptions options = engine_options();
  options.clock = &fake_clock;
  set_engine_options(options);
  std::vector<std::int64_t> sizes = {5, 5, 5, 9, 9, 9};
  for (std::int64_t n = 10; n < 200; ++n) sizes.push_back(n);
  for (std::int64_t n : {5, 5, 5, 9, 9, 9}) train(n, weight);
  options.weigh_cost = true;
  set_engine_options(options);
  control().recall_ns = 200'000;
  const auto stats = run([&](std::int64_t n) { return train(n, weight); }, sizes, 6);
  EXPECT_GE(stats.assembled, 20u);
  EXPECT_LE(stats.assembled, 30u);
}

// A plan is put together on the program's thread only where that holds it up for no longer than a pause may last.
TEST_F(FamilyTest, WhatTakesLongToPlanIsLeftToTheCompileThread) {
  const Array weight = filled({3}, 1);
  EngineOptions options = engine_options();
  options.clock = &fake_clock;
  set_engine_options(options);
  for (std::int64_t n : {5, 5, 5, 9, 9, 9}) train(n, weight);
  options.weigh_cost = true;
  set_engine_options(options);
  control().recall_ns = 4'000'000;
  const auto stats = run([&](std::int64_t n) { return train(n, weight); }, {5, 5, 5, 9, 9, 9, 7, 30, 2, 64, 40, 41, 30, 64}, 6);
  EXPECT_EQ(stats.assembled, 1u);  // and measured
  EXPECT_GE(stats.hits, 2u);       // the second time
}

TEST_F(FamilyTest, EveryMissNamesTheNearestTraceAndWhatDiffered) {
  const auto body = [](const Array& x, double literal) { return (with_literal(Op::add, -x, literal) * x).read(); };
  for (int i = 0; i < 3; ++i) body(filled({4, 2}, 1), 0.5);
  const auto last_miss = [] {
    const auto events = event_log().events();
    const auto found = std::find_if(events.rbegin(), events.rend(), [](const Event& event) {
      return event.code == EventCode::missed || event.code == EventCode::side_exit;
    });
    return *found;
  };
  body(filled({6, 2}, 1), 0.5);
  EXPECT_NE(last_miss().trace, 0u);
  EXPECT_EQ(last_miss().position, 0u);
  body(filled({4, 2}, 1), 0.75);
  EXPECT_NE(last_miss().trace, 0u);
  EXPECT_EQ(last_miss().position, 2u);
}

// What the words are made of.
TEST(Difference, NamesTheField) {
  const auto input = [](DType dtype, const Dims& dims) {
    KeyHalf key;
    key.op = Op::input;
    key.n_operands = 1;
    key.operands[0] = {0, intern(dtype, dims)};
    return key;
  };
  const auto with_attribute = [](Op op, const Attribute& attribute) {
    KeyHalf key;
    key.op = op;
    key.n_operands = 1;
    key.attr = intern(attribute);
    key.operands[0] = {1, intern(DType::f32, {2, 3})};
    return key;
  };
  const auto expect = [](const KeyHalf& was, const KeyHalf& is, const std::string& words) {
    EXPECT_EQ(describe_difference(was, is), words);
  };
  expect(input(DType::f32, {32, 3}), input(DType::f32, {17, 3}),
         "extent of operand 0 along dimension 0: 17 instead of 32 (f32[17,3] instead of f32[32,3])");
  expect(input(DType::f32, {32, 3}), input(DType::f64, {32, 3}),
         "type of operand 0: f64 instead of f32 (f64[32,3] instead of f32[32,3])");
  expect(input(DType::f32, {32, 3}), input(DType::f32, {3}), "rank of operand 0: 1 instead of 2 (f32[3] instead of f32[32,3])");
  KeyHalf turned = input(DType::f32, {32, 3});
  turned.operands[0].desc = intern(ViewDesc{DType::f32, {32, 3}, {1, 32}});
  expect(input(DType::f32, {32, 3}), turned, "layout of operand 0 (f32[32,3:1,32] instead of f32[32,3])");
  KeyHalf shared = input(DType::f32, {4});
  shared.operands[0].ref = 2;
  expect(input(DType::f32, {4}), shared,
         "operand 0: the storage that entered 2 records before instead of a storage of its own");
  expect(with_attribute(Op::sum, {{0, 1}, 0, DType::f32}), with_attribute(Op::sum, {{0, 0}, 0, DType::f32}),
         "attribute, number 1: 0 instead of 1");
  expect(with_attribute(Op::mul, {{}, 0.5, DType::f32}), with_attribute(Op::mul, {{}, 0.25, DType::f32}),
         "literal: 0.25 instead of 0.5");
  expect(with_attribute(Op::cast, {{}, 0, DType::f32}), with_attribute(Op::cast, {{}, 0, DType::i64}),
         "attribute, type: i64 instead of f32");
  KeyHalf further = with_attribute(Op::neg, {});
  further.operands[0].ref = 3;
  expect(with_attribute(Op::neg, {}), further, "operand 0: the value 3 records before instead of the value 1 records before");
  expect(with_attribute(Op::neg, {}), with_attribute(Op::abs, {}), "op: abs instead of neg");
}

TEST(FamilyOfTraces, ExtentsMayDifferAndNothingElse) {
  const auto trace = [](const char* text) { return parse_trace(text); };
  const Trace base =
      trace("trace {\n  %0 = input : f32[4,3]\n  %1 = sum(%0) {0,1} : f32[4]\n  %2 = mul(%1, 0.5) : f32[4]\n  cut {1}\n}\n");
  const auto same = [&](const char* text) {
    const Trace other = trace(text);
    const bool same = same_family(base.keys, other.keys);
    EXPECT_EQ(same_family(other.keys, base.keys), same);
    if (same) {
      EXPECT_EQ(family_hash(base.keys), family_hash(other.keys));
    }
    return same;
  };
  EXPECT_TRUE(
      same("trace {\n  %0 = input : f32[9,3]\n  %1 = sum(%0) {0,1} : f32[9]\n  %2 = mul(%1, 0.25) : f32[9]\n  cut {1}\n}\n"));
  EXPECT_FALSE(
      same("trace {\n  %0 = input : f32[1,3]\n  %1 = sum(%0) {0,1} : f32[1]\n  %2 = mul(%1, 0.5) : f32[1]\n  cut {1}\n}\n"));
  EXPECT_FALSE(
      same("trace {\n  %0 = input : f32[4,4]\n  %1 = sum(%0) {0,0} : f32[4]\n  %2 = mul(%1, 0.5) : f32[4]\n  cut {1}\n}\n"));
  EXPECT_FALSE(
      same("trace {\n  %0 = input : f64[4,3]\n  %1 = sum(%0) {0,1} : f64[4]\n  %2 = mul(%1, 0.5) : f64[4]\n  cut {1}\n}\n"));
  EXPECT_FALSE(
      same("trace {\n  %0 = input : f32[4,3]\n  %1 = sum(%0) {0,1} : f32[4]\n  %2 = mul(%1, 2i) : f32[4]\n  cut {1}\n}\n"));
  EXPECT_FALSE(
      same("trace {\n  %0 = input : f32[4,3]\n  %1 = sum(%0) {0,1} : f32[4]\n  %2 = mul(%1, 0.5) : f32[4]\n  cut {0}\n}\n"));
}

TEST(FamilyOfTraces, NoTraceIsMadeUpThatReadsBeyondATensor) {
  const auto rows = [](int n) {
    return parse_trace(
        fmt::format("trace {{\n  %0 = input : f32[{},2]\n  %1 = narrow(%0) {{0,4}} : f32[4,2]\n  cut {{1}}\n}}\n", n));
  };
  const Trace a = rows(8), b = rows(16);
  EXPECT_TRUE(derive(a, b, 0, rows(5).keys[0]));
  EXPECT_FALSE(derive(a, b, 0, parse_trace("trace {\n  %0 = input : f32[3,2]\n  cut {1}\n}\n").keys[0]));
}

}  // namespace
}  // namespace swage::fake
