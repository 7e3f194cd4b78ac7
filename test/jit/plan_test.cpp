// Hand-made traces, compiled and interpreted: the same bits, and the fusion that was meant.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace swage::test
