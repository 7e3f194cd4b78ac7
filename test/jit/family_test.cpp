// Traces that differ in extents share code: the same bits at every size, and few programs.
#include <jit/family.hpp>

#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include <runtime/trace/derive.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/trace_builder.hpp>

namespace swage::test {
namespace {

struct Sized {
  Trace trace;
  EscapeMask escapes;
};
using Sizes = std::vector<std::int64_t>;
using Make = std::function<void(TraceBuilder&, const Sizes&)>;

Sized make(const Make& body, const Sizes& sizes) {
  TraceBuilder builder;
  body(builder, sizes);
  Sized sized;
  sized.trace = builder.finish(sized.escapes);
  return sized;
}

// How many of these traces, planned in this order, needed a program that was not there yet.
int generations(const Make& body, const std::vector<Sizes>& order) {
  jit::Families families;
  std::vector<jit::Program> known;
  int generations = 0;
  for (const Sizes& sizes : order) {
    const Sized sized = make(body, sizes);
    const jit::FamilyPlan plan = families.plan(sized.trace, sized.escapes);
    families.remember(sized.trace, sized.escapes, plan);
    bool fresh = false;
    for (const jit::Program* program : plan.planned.distinct) {
      if (std::find(known.begin(), known.end(), *program) != known.end()) continue;
      known.push_back(*program);
      fresh = true;
    }
    generations += fresh;
  }
  return generations;
}

void expect_family(const Make& body, const std::vector<Sizes>& order, int at_most) {
  EXPECT_LE(generations(body, order), at_most);
  for (const Sizes& sizes : order) {
    const Sized sized = make(body, sizes);
    const Outcome outcome = compare(sized.trace, sized.escapes, 5);
    EXPECT_EQ(outcome.difference, "") << "sizes " << sizes[0] << " " << (sizes.size() > 1 ? sizes[1] : 0);
  }
}

std::vector<Sizes> batches(std::initializer_list<std::int64_t> list) {
  std::vector<Sizes> order;
  for (std::int64_t n : list) order.push_back({n});
  return order;
}

Arg reciprocal(std::int64_t n) { return Arg::scalar(1.0 / static_cast<double>(n)); }

// A layer, softmax cross-entropy over ten classes, and its gradients.
void classifier(TraceBuilder& t, const Sizes& sizes) {
  const std::int64_t n = sizes[0];
  const auto x = t.input(DType::f32, {n, 24}), w = t.input(DType::f32, {24, 10}), b = t.input(DType::f32, {10});
  const auto target = t.input(DType::f32, {n, 10});
  const auto logits = t.op(Op::relu, {t.op(Op::add, {t.op(Op::matmul, {x, w}), b})});
  const auto shifted = t.op(Op::sub, {logits, t.reduce(Op::amax, logits, {1}, true)});
  const auto exps = t.op(Op::exp, {shifted});
  const auto sums = t.reduce(Op::sum, exps, {1}, true);
  const auto p = t.op(Op::div, {exps, sums});
  const auto losses = t.op(Op::mul, {target, t.op(Op::sub, {shifted, t.op(Op::log, {sums})})});
  t.escape(t.op(Op::mul, {t.reduce(Op::sum, losses, {0, 1}, false), reciprocal(-n)}));
  const auto g = t.op(Op::mul, {t.op(Op::sub, {p, target}), reciprocal(n)});
  t.escape(t.op(Op::matmul, {t.view(Op::permute, x, {1, 0}), g}));
  t.escape(t.op(Op::mul, {t.reduce(Op::sum, g, {0}, false), Arg::scalar_slot()}));
}

// Normalisation over batch and image, forward; the literals depend on the batch in two ways.
void batch_norm(TraceBuilder& t, const Sizes& sizes) {
  const std::int64_t n = sizes[0], count = n * 5 * 7;
  const auto x = t.input(DType::f32, {n, 6, 5, 7});
  const auto mean = t.op(Op::mul, {t.reduce(Op::sum, x, {0, 2, 3}, true), reciprocal(count)});
  const auto centred = t.op(Op::sub, {x, mean});
  const auto variance = t.op(Op::mul, {t.reduce(Op::sum, t.op(Op::square, {centred}), {0, 2, 3}, true), reciprocal(count)});
  t.escape(t.op(Op::mul, {centred, t.op(Op::rsqrt, {t.op(Op::add, {variance, Arg::scalar(1e-5)})})}));
  t.escape(t.op(Op::mul, {variance, Arg::scalar(static_cast<double>(count) / static_cast<double>(count - 1))}));
}

// Softmax and layer norm over rows whose length varies, of a batch that varies.
void rows(TraceBuilder& t, const Sizes& sizes) {
  const std::int64_t n = sizes[0], length = sizes[1];
  const auto x = t.input(DType::f32, {n, length});
  const auto exps = t.op(Op::exp, {t.op(Op::sub, {x, t.reduce(Op::amax, x, {1}, true)})});
  t.escape(t.op(Op::div, {exps, t.reduce(Op::sum, exps, {1}, true)}));
  const auto centred = t.op(Op::sub, {x, t.op(Op::mul, {t.reduce(Op::sum, x, {1}, true), reciprocal(length)})});
  t.escape(t.op(Op::mul, {centred, t.reduce(Op::sum, t.op(Op::square, {centred}), {1}, true)}));
}

// The batch is the innermost dimension: of results, of what is reduced, and as a stride.
void transposed(TraceBuilder& t, const Sizes& sizes) {
  const std::int64_t n = sizes[0];
  const auto x = t.input(DType::f32, {40, n}), y = t.input(DType::f32, {n, 40});
  const auto both = t.op(Op::add, {t.op(Op::tanh, {x}), t.view(Op::permute, y, {1, 0})});
  t.escape(both);
  t.escape(t.reduce(Op::sum, t.op(Op::mul, {both, both}), {0}, false));
  t.escape(t.reduce(Op::amax, t.op(Op::neg, {x}), {1}, false));
}

TEST(Family, AnyBatchOfAClassifier) {
  expect_family(classifier, batches({37, 16, 5, 64, 10, 24, 33, 2, 48, 1, 63}), 3);
  expect_family(classifier, batches({10, 24, 31, 1, 2, 17, 64}), 3);
  expect_family(classifier, batches({1, 10, 16, 3, 24}), 3);
}

TEST(Family, AnyBatchOfANormalisation) {
  expect_family(batch_norm, batches({3, 8, 32, 2, 1, 40, 6, 59, 64}), 3);  // up to 2,240 elements a row: three blocks
  expect_family(batch_norm, batches({64, 29, 30, 5, 6, 7, 1}), 3);
}

TEST(Family, BatchAndLength) {
  expect_family(rows, {{4, 20}, {9, 20}, {9, 33}, {2, 1024}, {3, 1025}, {5, 2049}, {33, 7}, {2, 2}, {6, 16}, {7, 1500}}, 3);
  expect_family(rows, {{4, 1000}, {4, 40}, {8, 3000}, {2, 15}, {30, 31}}, 3);
}

TEST(Family, TheBatchInnermost) { expect_family(transposed, batches({17, 40, 5, 64, 16, 1040, 2100, 3, 1, 32}), 3); }

// Where the batch happens to equal another extent, more can be grouped; no other batch could share that.
TEST(Family, ExtentsThatAreEqualByChance) {
  const Make body = [](TraceBuilder& t, const Sizes& sizes) {
    const auto x = t.input(DType::f32, {sizes[0]}), y = t.input(DType::f32, {10});
    t.escape(t.op(Op::exp, {t.op(Op::neg, {x})}));
    t.escape(t.op(Op::tanh, {t.op(Op::abs, {y})}));
  };
  expect_family(body, batches({10, 24, 31, 7}), 2);
  expect_family(body, batches({24, 10, 31, 7}), 2);
  expect_family(body, batches({24, 31, 10, 7}), 2);
}

TEST(Family, LongRowsAreSplitAtAnyLength) {
  const Make body = [](TraceBuilder& t, const Sizes& sizes) {
    const auto x = t.input(DType::f32, {3, sizes[0]}), y = t.input(DType::f32, {3, sizes[0]});
    const auto total = t.reduce(Op::sum, t.op(Op::mul, {x, y}), {1}, true);
    t.escape(t.op(Op::mul, {t.op(Op::add, {total, t.reduce(Op::amax, x, {1}, true)}), reciprocal(sizes[0])}));
  };
  expect_family(body, batches({40000, 17, 1024, 33333, 1025, 5000, 2, 65536}), 2);
}

TEST(Family, ExtentsWhoseProductStays) {
  const Make body = [](TraceBuilder& t, const Sizes& sizes) {
    const auto x = t.view(Op::permute, t.input(DType::f32, {sizes[0], sizes[1], 5000}), {1, 0, 2});
    const auto y = t.view(Op::permute, t.input(DType::f32, {5, sizes[0], sizes[1]}), {0, 2, 1});
    t.escape(t.op(Op::neg, {t.reduce(Op::sum, t.op(Op::mul, {x, x}), {2}, false)}));
    t.escape(t.op(Op::neg, {t.reduce(Op::amax, t.op(Op::exp, {y}), {1, 2}, false)}));
  };
  expect_family(body, {{2, 3}, {3, 2}, {20, 30}, {30, 20}, {100, 3}}, 3);
}

TEST(Family, OtherTypesAndFewColumns) {
  for (const DType dtype : {DType::f64, DType::i64}) {
    const Make body = [&](TraceBuilder& t, const Sizes& sizes) {
      const auto x = t.input(dtype, {sizes[0], 11}), y = t.input(dtype, {11});
      const auto sum = t.op(Op::add, {x, y});
      t.escape(t.op(Op::mul, {sum, sum}));
      t.escape(t.reduce(Op::sum, t.op(Op::sub, {sum, x}), {0}, true));
    };
    expect_family(body, batches({6, 25, 2, 64, 11, 1500, 1, 9}), 3);
  }
}

TEST(Family, OneThatBroadcastsElsewhereIsAnother) {
  const Make body = [](TraceBuilder& t, const Sizes& sizes) {
    const auto x = t.input(DType::f32, {sizes[0], 8}), y = t.input(DType::f32, {sizes[1], 8});
    t.escape(t.op(Op::exp, {t.op(Op::add, {x, y})}));
  };
  expect_family(body, {{5, 5}, {5, 1}, {7, 7}, {9, 1}, {1, 4}, {12, 12}, {1, 1}, {1, 9}, {13, 1}}, 8);
}

// The traces that two sizes predict for a third are the ones that it has.
void expect_derived(const Make& body, const Sizes& a, const Sizes& b, const Sizes& wanted) {
  const Sized first = make(body, a), second = make(body, b), third = make(body, wanted);
  const RecordIndex at = first_difference(first.trace, second.trace);
  ASSERT_LT(at, first.trace.size());
  const auto derived = derive(first.trace, second.trace, at, third.trace.keys[at]);
  ASSERT_TRUE(derived) << wanted[0];
  EXPECT_EQ(derived->keys, third.trace.keys) << print(*derived) << print(third.trace);
  EXPECT_EQ(derived->results, third.trace.results);
  EXPECT_EQ(derived->hash, third.trace.hash);
}

TEST(Derive, AThirdSizeFollowsFromTwo) {
  for (std::int64_t n : {2, 3, 10, 24, 33, 64, 1000}) {
    expect_derived(classifier, {37}, {16}, {n});
    expect_derived(classifier, {16}, {17}, {n});
    expect_derived(batch_norm, {5}, {41}, {n});
    expect_derived(transposed, {5}, {41}, {n});
    expect_derived(rows, {7, 20}, {19, 20}, {n, 20});
    expect_derived(rows, {7, 20}, {7, 31}, {7, n});
  }
}

TEST(Derive, ExtentsInAttributes) {
  const Make body = [](TraceBuilder& t, const Sizes& sizes) {
    const std::int64_t n = sizes[0];
    const auto x = t.input(DType::f32, {n, 6, 4});
    const auto flat = t.view(Op::reshape, x, {n * 6, 4});
    const auto noise = t.op(Op::uniform, {}, {{n * 6, 4}, 0, DType::f32});
    t.escape(t.op(Op::mul, {t.op(Op::add, {flat, noise}), Arg::scalar(static_cast<double>(2 * n + 1), DType::i64)}));
    t.escape(t.op(Op::mul, {t.view(Op::narrow, flat, {0, 3 * n}), Arg::scalar(0.5)}));
  };
  for (std::int64_t n : {2, 10, 64}) expect_derived(body, {9}, {5}, {n});
}

TEST(Derive, NotWhatCannotFollow) {
  const Make odd = [](TraceBuilder& t, const Sizes& sizes) {
    const auto x = t.input(DType::f32, {sizes[0], 3});
    t.escape(t.op(Op::mul, {x, Arg::scalar(std::sqrt(static_cast<double>(sizes[0])))}));
  };
  const Make plain = [](TraceBuilder& t, const Sizes& sizes) { t.escape(t.op(Op::exp, {t.input(DType::f32, Dims(sizes))})); };
  const auto derived = [](const Make& body, const Sizes& a, const Sizes& b, const Sizes& wanted) {
    const Trace first = make(body, a).trace, second = make(body, b).trace, third = make(body, wanted).trace;
    return derive(first, second, 0, third.keys[0]).has_value();
  };
  EXPECT_FALSE(derived(odd, {5}, {9}, {7}));  // a literal of another kind
  EXPECT_TRUE(derived(plain, {5, 3}, {9, 3}, {7, 3}));
  EXPECT_FALSE(derived(plain, {5, 3}, {9, 3}, {7, 4}));     // a dimension that was the same
  EXPECT_FALSE(derived(plain, {5, 3}, {9, 3}, {1, 3}));     // one broadcasts
  EXPECT_FALSE(derived(plain, {5, 10}, {9, 18}, {6, 13}));  // off the line
  EXPECT_FALSE(derived(plain, {5, 3}, {5, 3}, {7, 3}));     // nothing is known to change
  EXPECT_FALSE(derived(plain, {5, 3}, {9, 3}, {7, 3, 1}));  // another rank
}

// Siblings are those that there is code for.
TEST(Family, PlanningRemembersNothing) {
  jit::Families families;
  const Sized first = make(classifier, {12}), second = make(classifier, {20});
  families.plan(first.trace, first.escapes);
  const jit::FamilyPlan alone = families.plan(second.trace, second.escapes);
  EXPECT_EQ(alone.siblings.size(), 0u);
  families.remember(second.trace, second.escapes, alone);
  EXPECT_EQ(families.plan(first.trace, first.escapes).siblings.size(), 1u);
  const jit::FamilyPlan again = families.plan(second.trace, second.escapes);
  EXPECT_FALSE(again.tells);
  for (const jit::Program* program : again.planned.distinct) EXPECT_EQ(program->n_symbols, 0);
}

}  // namespace
}  // namespace swage::test
