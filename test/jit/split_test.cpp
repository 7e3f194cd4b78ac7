// Few long rows and strips: units are blocks of the reduction tree, for one thread and for several.
#include <gtest/gtest.h>

#include <jit/inspect.hpp>
#include <runtime/core/thread_pool.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

// Two reductions, one of something computed, both used afterwards.
void expect_split(const Dims& dims, std::vector<std::int64_t> reduced, DType dtype = DType::f32, bool split = true) {
  TraceBuilder t;
  const auto x = t.input(dtype, dims), y = t.input(dtype, dims);
  const auto product = t.op(Op::mul, {x, y});
  const auto total = t.reduce(Op::sum, product, reduced, true), greatest = t.reduce(Op::amax, x, reduced, true);
  t.escape(t.op(Op::mul, {total, Arg::scalar(3, DType::i64)}));
  t.escape(t.op(Op::sub, {greatest, total}));
  t.escape(product);
  EscapeMask escapes;
  const Trace trace = t.finish(escapes);
  const std::string stages = lower_to_text(trace, escapes, Stage::record);
  EXPECT_EQ(stages.find("blocks") != std::string::npos, split) << stages;
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    EXPECT_EQ(compare(trace, escapes, 11).difference, "") << stages << threads << " threads";
  }
  set_num_threads(1);
}

TEST(Split, OneLongRow) {
  expect_split({40000}, {0});
  expect_split({32768}, {0});
  expect_split({1 << 20}, {0});
}
TEST(Split, SeveralLongRows) { expect_split({5, 9000}, {1}); }
TEST(Split, RowsOfSeveralStretches) { expect_split({3, 5, 2001}, {1, 2}); }
TEST(Split, FewColumns) {
  expect_split({33000, 10}, {0});
  expect_split({5000, 16}, {0});
  expect_split({4100, 67}, {0});
  expect_split({2, 4100, 40}, {1});
}
TEST(Split, OtherTypes) {
  expect_split({40001}, {0}, DType::f64);
  expect_split({40001}, {0}, DType::i64);
  expect_split({33000, 10}, {0}, DType::f64);
}
TEST(Split, NotWhereThereIsWorkEnough) {
  expect_split({64, 2048}, {1}, DType::f32, false);
  expect_split({2048, 1024}, {0}, DType::f32, false);
}

}  // namespace
}  // namespace swage::test
