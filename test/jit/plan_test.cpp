// Hand-made traces, compiled and interpreted: the same bits, and the fusion that was meant.
#include <gtest/gtest.h>

#include <jit/compiler.hpp>
#include <runtime/core/error.hpp>
#include <test/jit/harness.hpp>

namespace swage::test {
namespace {

TEST(Plan, AChainOfPointwiseOpsIsOneGroup) {
  const Outcome outcome = compare(R"(
%0 = input : f32[33,7]
%1 = input : f32[33,7]
%2 = add(%0, %1) : f32[33,7]
%3 = exp(%2) : f32[33,7]
%4 = mul(%3, slot f64) : f32[33,7]
%5 = tanh(%4) : f32[33,7]
cut
escapes %5
)");
  EXPECT_EQ(outcome.difference, "");
  EXPECT_EQ(outcome.compiled.groups, 1u);
  EXPECT_EQ(outcome.compiled.fused_ops, 4u);
}

TEST(Plan, SoftmaxIsOneGroup) {
  const Outcome outcome = compare(R"(
%0 = input : f32[12,300]
%1 = amax(%0) {1,1} : f32[12,1]
%2 = sub(%0, %1) : f32[12,300]
%3 = exp(%2) : f32[12,300]
%4 = sum(%3) {1,1} : f32[12,1]
%5 = div(%3, %4) : f32[12,300]
cut
escapes %5
)");
  EXPECT_EQ(outcome.difference, "");
  EXPECT_EQ(outcome.compiled.groups, 1u);
  EXPECT_EQ(outcome.compiled.library_calls, 0u);
}

TEST(Plan, OnlyTheLastVersionOfAnEscapingStorageIsStored) {
  const Outcome outcome = compare(R"(
%0 = input : f32[50]
%1 = add(%0, 1) : f32[50]
%2 = mul_(%1, slot f64) : f32[50]
%3 = exp_(%2) : f32[50]
cut
escapes %1
)");
  EXPECT_EQ(outcome.difference, "");
  EXPECT_EQ(outcome.compiled.groups, 1u);
}

TEST(Plan, ViewsWhoseStartsMoveKeepTheirOrder) {
  const Outcome outcome = compare(R"(
%0 = input : f32[40]
%1 = narrow(%0) {0,16} : f32[16]
%2 = add_(%1, 1) : f32[16]
%3 = narrow(%0) {0,16} : f32[16]
%4 = mul(%3, 2) : f32[16]
%5 = neg(%4) : f32[16]
cut
escapes %5
)");
  EXPECT_EQ(outcome.difference, "");
}

TEST(Plan, AWriteDoesNotMoveBeforeALaterReader) {  // although a group before the reader shares its operand
  const Outcome outcome = compare(R"(
%0 = input : f32[8,8]
%1 = input : f32[8,8]
%2 = exp(%1) : f32[8,8]
%3 = neg(%2) : f32[8,8]
%4 = argmax(%0) {1,0} : i64[1,8]
%5 = add_(%0, %1) : f32[8,8]
%6 = mul_(%5, %1) : f32[8,8]
cut
escapes %3 %4
)");
  EXPECT_EQ(outcome.difference, "");
  EXPECT_EQ(outcome.compiled.groups, 2u);
}

TEST(Plan, AliasingInputsAreOneStorage) {
  const Outcome outcome = compare(R"(
%0 = input : f32[6,6]
%1 = input alias %0 : f32[6,6:1,6]
%2 = add(%0, %1) : f32[6,6]
%3 = mul_(%0, %2) : f32[6,6]
%4 = add(%1, %3) : f32[6,6]
cut
escapes %2 %4
)");
  EXPECT_EQ(outcome.difference, "");
}

TEST(Plan, AnIndexFromOutsideIsCheckedBeforeAnythingIsWritten) {
  const Parsed parsed = parse(R"(
%0 = input : f32[5,4]
%1 = input : i64[3,4]
%2 = gather(%0, %1) {0} : f32[3,4]
cut
escapes %2
)");
  EXPECT_EQ(compare(parsed.trace, parsed.escapes).difference, "");
  const CompileResult result = compiler().compile(parsed.trace, parsed.escapes);
  Inputs inputs(parsed.trace, 1);
  inputs.values[0].offset = inputs.values[1].offset = 0;
  std::vector<std::int64_t> index(12, 0);
  index[7] = 5;
  std::vector<float> source(20), target(12);
  std::vector<void*> storages = {source.data(), index.data(), target.data(), nullptr};
  const auto failure = result.plan->check({inputs.values, storages, nullptr});
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->record, 2u);
}

TEST(Plan, AnIndexComputedInsideIsRefused) {
  const Parsed parsed = parse(R"(
%0 = input : f32[5,4]
%1 = input : i64[3,4]
%2 = add(%1, 1i) : i64[3,4]
%3 = gather(%0, %2) {0} : f32[3,4]
cut
escapes %3
)");
  EXPECT_THROW(compiler().compile(parsed.trace, parsed.escapes), CompileError);
}

TEST(Plan, PlansOutliveTheirCompiler) {
  std::unique_ptr<Plan> plan;
  const Parsed parsed = parse(R"(
%0 = input : f32[16]
%1 = add(%0, 1) : f32[16]
%2 = mul(%1, 2) : f32[16]
cut
escapes %2
)");
  plan = make_cpu_compiler()->compile(parsed.trace, parsed.escapes).plan;
  std::vector<float> x(48, 1.0f), y(48);
  std::vector<ValueHalf> values(parsed.trace.size());
  std::vector<void*> storages = {x.data(), nullptr, y.data(), nullptr};
  plan->run({values, storages, nullptr});
  EXPECT_EQ(y[15], 4.0f);
  EXPECT_EQ(y[16], 0.0f);
}

}  // namespace
}  // namespace swage::test
