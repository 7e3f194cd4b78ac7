// Values that are computed again instead of being stored.
#include <jit/recompute.hpp>

#include <gtest/gtest.h>

#include <jit/inspect.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

std::string described(TraceBuilder& builder) {
  EscapeMask escapes;
  const Trace trace = builder.finish(escapes);
  EXPECT_EQ(compare(trace, escapes, 5).difference, "");
  return lower_to_text(trace, escapes, Stage::record);
}

std::string again(RecordIndex record, const char* op, int group) {
  return "record " + std::to_string(record) + " (" + op + ") is computed again in group " + std::to_string(group);
}

struct Chain {
  TraceBuilder t;
  RecordIndex x = 0, centred = 0, mask = 0, y = 0;

  // A row-wise normalisation, then a product that the first group cannot take in, then the mask of the gradient.
  explicit Chain(std::int64_t n = 128) {
    x = t.input(DType::f32, {n, n});
    const auto scale = t.input(DType::f32, {n, 1}), w = t.input(DType::f32, {n, n});
    const auto mean = t.op(Op::mul, {t.reduce(Op::sum, x, {1}, true), Arg::scalar(1.0 / 128)});
    centred = t.op(Op::sub, {x, mean});
    y = t.op(Op::relu, {t.op(Op::mul, {centred, scale})});
    mask = t.op(Op::le, {y, Arg::scalar(0)});
    const auto product = t.op(Op::matmul, {y, w});
    const auto masked = t.op(Op::where, {mask, Arg::scalar(0), product});
    t.escape(t.reduce(Op::sum, t.op(Op::mul, {masked, centred}), {1}, true));
  }
};

TEST(Recompute, MasksAndDifferencesAreMadeWhereTheyAreRead) {
  Chain chain;
  const std::string text = described(chain.t);
  EXPECT_NE(text.find(again(chain.mask, "le", 2)), std::string::npos) << text;
  EXPECT_NE(text.find(again(chain.centred, "sub", 2)), std::string::npos) << text;
  EXPECT_NE(text.find("group 0: %3 sum %4 mul %5 sub %6 mul %7 relu —"), std::string::npos) << text;  // the mask is gone
  EXPECT_NE(text.find("5 pointers"), std::string::npos) << text;
}

TEST(Recompute, SmallValuesAreLeftInTheCache) {
  Chain chain(48);
  const std::string text = described(chain.t);
  EXPECT_EQ(text.find("computed again"), std::string::npos) << text;
}

TEST(Recompute, NotFromWhatHasChangedSince) {
  TraceBuilder t;
  const auto x = t.input(DType::f32, {128, 128}), w = t.input(DType::f32, {128, 128});
  const auto doubled = t.op(Op::mul, {x, Arg::scalar(2)});
  const auto product = t.op(Op::matmul, {t.op(Op::exp, {doubled}), w});
  t.op_(Op::add, {t.op_(Op::mul, {x, product}), Arg::scalar(1)});
  t.escape(t.reduce(Op::sum, t.op(Op::add, {doubled, t.op(Op::matmul, {x, w})}), {1}, true));
  const std::string text = described(t);
  EXPECT_EQ(text.find("computed again"), std::string::npos) << text;
}

TEST(Recompute, NotWhatCostsMoreThanItsLoad) {
  TraceBuilder t;
  const auto x = t.input(DType::f32, {128, 128}), w = t.input(DType::f32, {128, 128});
  const auto z = t.input(DType::f32, {128, 128});
  const auto root = t.op(Op::exp, {x}), both = t.op(Op::mul, {x, z});
  const auto product = t.op(Op::matmul, {t.op(Op::add, {root, both}), w});
  t.escape(t.reduce(Op::sum, t.op(Op::add, {t.op(Op::mul, {product, both}), root}), {1}, true));
  const std::string text = described(t);
  EXPECT_EQ(text.find("computed again"), std::string::npos) << text;
}

}  // namespace
}  // namespace swage::test
