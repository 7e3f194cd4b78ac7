// Results that no cache holds go to memory directly.
#include <gtest/gtest.h>

#include <jit/inspect.hpp>
#include <runtime/core/thread_pool.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

struct Recorded {
  Trace trace;
  EscapeMask escapes;
  bool past_cache() const { return lower_to_text(trace, escapes, Stage::asm_).find("vmovnt") != std::string::npos; }
};

// (x + 2) * 2, or x += 2 and x *= 2.
Recorded addition(std::int64_t n, DType dtype, bool in_place = false) {
  TraceBuilder t;
  const auto x = t.input(dtype, {n});
  const Arg two = Arg::scalar(2, DType::i64);
  const auto apply = [&](Op op, const auto& to) { return in_place ? t.op_(op, {to, two}) : t.op(op, {to, two}); };
  t.escape(apply(Op::mul, apply(Op::add, x)));
  Recorded recorded;
  recorded.trace = t.finish(recorded.escapes);
  return recorded;
}

constexpr std::int64_t kHuge = std::int64_t{1} << 32;  // elements: more than any cache; such a trace is only looked at

TEST(PastCache, WhatNoCacheHoldsAndIsNotReadFirst) {
  EXPECT_TRUE(addition(kHuge, DType::f32).past_cache());
  EXPECT_TRUE(addition(kHuge, DType::f64).past_cache());
  EXPECT_TRUE(addition(kHuge, DType::i64).past_cache());
  EXPECT_FALSE(addition(1 << 16, DType::f32).past_cache());
  EXPECT_FALSE(addition(kHuge, DType::f32, true).past_cache());
}

TEST(PastCache, TheSameBits) {
  const std::int64_t cache = 64 << 20;  // bytes: the largest that is believed
  for (DType dtype : {DType::f32, DType::f64}) {
    const std::int64_t n = cache / static_cast<std::int64_t>(size_of(dtype)) / 2 + 1003;  // as much again is written; a tail
    const Recorded recorded = addition(n, dtype);
    ASSERT_TRUE(recorded.past_cache());
    for (int threads : {1, 2}) {
      set_num_threads(threads);
      EXPECT_EQ(compare(recorded.trace, recorded.escapes).difference, "") << name_of(dtype) << ", " << threads << " threads";
    }
    set_num_threads(1);
  }
}

}  // namespace
}  // namespace swage::test
