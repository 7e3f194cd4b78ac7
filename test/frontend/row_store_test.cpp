// Stores of rows that grow while a program runs, and memories made of them.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <swage/swage.hpp>
#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(RowStores, HoldWhatWasAppended) {
  RowStore store(3);
  EXPECT_EQ(store.rows().sizes(), Dims({0, 3}));
  std::vector<float> expected;
  for (int i = 0; i < 300; ++i) {
    const auto x = static_cast<float>(i);
    if (i % 7 == 0) {
      store.append(tensor<float>({x, x, x, -x, -x, -x}, {2, 3}));
      expected.insert(expected.end(), {x, x, x, -x, -x, -x});
    } else {
      store.append(full({3}, static_cast<double>(i)));
      expected.insert(expected.end(), {x, x, x});
    }
    if (i % 50 == 49) {
      EXPECT_EQ(store.rows().to_vector<float>(), expected);
    }
  }
  EXPECT_EQ(store.size() * 3, static_cast<std::int64_t>(expected.size()));
  EXPECT_LE(store.capacity(), 2 * store.size());
  store.append(zeros({0, 3}));
  EXPECT_EQ(store.rows().to_vector<float>(), expected);
}

TEST(RowStores, RowsAreNotMovedForThoseThatHaveThem) {
  RowStore store(2);
  store.append(ones({2}));
  const Tensor one = store.rows();
  for (int i = 0; i < 100; ++i) store.append(zeros({2}));
  EXPECT_EQ(one.to_vector<float>(), (std::vector<float>{1, 1}));
  EXPECT_EQ(store.rows().narrow(0, 0, 1).to_vector<float>(), (std::vector<float>{1, 1}));
}

// Appending in a window that also reads the rows, by views of the same storage, and growth in the middle of one.
TEST(RowStores, AreTheSameInAllTiers) {
  expect_same(
      [](Notes& notes) {
        RowStore store(4);
        const Tensor w = randn({4, 4}) * 0.3;
        Tensor h = randn({4});
        for (int i = 0; i < 150; ++i) {
          h = tanh(matmul(w, h) + 0.1);
          store.append(h);
          if (i % 3 == 0) {
            const Tensor latest = store.rows().narrow(0, store.size() - 1, 1);
            h = h + latest.reshape({4}) * 0.5;  // sees the row that was just written
          }
          swage::step();
          notes(h);
        }
        notes(store.rows());
      },
      50);
}

TEST(RowStores, CostNoRecompilationAsTheyGrow) {
  const TierRun run = run_in(Tier::compiled, [](Notes& notes) {
    RowStore store(16);
    const Tensor w = randn({16, 16}) * 0.3;
    for (int i = 0; i < 1000; ++i) {
      const Tensor key = tanh(matmul(w, randn({16})));
      const RowStore::Found found = store.nearest(key, 4);
      const Tensor near = store.take(found.index, 4);
      store.append(key + sum(near, 0) * 0.1);
      swage::step();
    }
    notes(store.rows());
  });
  EXPECT_LE(run.stats.compiles + run.stats.assembled, 2u) << "what is before the search, and what is behind it";
  EXPECT_LE(run.stats.misses, 12u) << "the first ones, and when the storage grows";
  EXPECT_GT(run.stats.hits, 1900u);
}

TEST(RowStores, FindTheGreatestProducts) {
  manual_seed(3);
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const std::int64_t n : {1, 5, 64, 1000}) {
      RowStore store(24, dtype);
      store.append(randn({n, 24}, dtype));
      const Tensor query = randn({24}, dtype);
      const std::vector<double> products = matmul(store.rows(), query).to(DType::f64).to_vector<double>();
      std::vector<std::int64_t> order(static_cast<std::size_t>(n));
      for (std::int64_t i = 0; i < n; ++i) order[static_cast<std::size_t>(i)] = i;
      std::ranges::stable_sort(order, std::greater(), [&](std::int64_t i) { return products[static_cast<std::size_t>(i)]; });
      for (const std::int64_t k : {1, 7, 2000}) {
        const RowStore::Found found = store.nearest(query, k);
        ASSERT_EQ(found.index.size(), static_cast<std::size_t>(std::min(n, k)));
        for (std::size_t i = 0; i < found.index.size(); ++i) {
          EXPECT_EQ(found.index[i], order[i]);
          EXPECT_EQ(found.product[i], products[static_cast<std::size_t>(order[i])]) << "the same bits";
        }
        const Tensor taken = store.take(found.index, 5);
        EXPECT_EQ(taken.size(0), std::max<std::int64_t>(5, std::min(n, k)));
        EXPECT_EQ(sum(ne(taken[0], store.rows()[order[0]])).item(), 0);
        if (n == 1) {
          EXPECT_EQ(sum(abs(taken.narrow(0, 1, 4))).item(), 0);
        }
      }
    }
  }
}

TEST(RowStores, TiesGoToTheOlderRowAndNaNsCountForNothing) {
  RowStore store(1);
  store.append(tensor<float>({1, 2, std::numeric_limits<float>::quiet_NaN(), 2, 2, 1}, {6, 1}));
  EXPECT_THAT(store.nearest(ones({1}), 2).index, ElementsAre(1, 3));
  EXPECT_THAT(store.nearest(ones({1}), 9).index, ElementsAre(1, 3, 4, 0, 5));
}

TEST(RowStores, WrongArgumentsAreNamed) {
  RowStore store(3);
  EXPECT_THAT(message_of([&] { store.append(ones({4})); }), HasSubstr("rows of 3 takes shapes 3 and m×3, not 4"));
  EXPECT_THAT(message_of([&] { store.append(ones({4})); }), HasSubstr("row_store_test.cpp:"));
  EXPECT_THROW(store.append(ones({1, 2, 3})), ShapeError);
  EXPECT_THROW(store.append(Tensor()), ValueError);
  EXPECT_THROW(store.append(ones({3}, DType::f64)), DTypeError);
  EXPECT_THROW(store.nearest(ones({2}), 1), ShapeError);
  EXPECT_THROW(store.nearest(ones({3}), 0), ValueError);
  EXPECT_THROW(store.nearest(ones({3}, DType::f64), 1), DTypeError);
  EXPECT_THAT(message_of([&] { store.take({0}); }), HasSubstr("there is no row 0: the store has 0"));
  EXPECT_THROW(RowStore(0), ValueError);
  EXPECT_THROW(RowStore(3, DType::i64), DTypeError);
  EXPECT_EQ(store.size(), 0);
}

TEST(Memories, AnswerByAttentionOverTheNearest) {
  manual_seed(5);
  nn::Memory memory(8, 3);
  const Tensor query = randn({8}).requires_grad_();
  EXPECT_EQ(memory.read(query, 4).to_vector<float>(), (std::vector<float>{0, 0, 0})) << "nothing is known yet";
  const Tensor keys = randn({3, 8}), values = randn({3, 3});
  for (int i = 0; i < 3; ++i) memory.append(keys[i], values[i]);
  EXPECT_EQ(memory.size(), 3);
  const Tensor all = matmul(softmax(matmul(keys, query) * (1 / std::sqrt(8.0)), 0), values);
  EXPECT_LT(amax(abs(memory.read(query, 3) - all)).item(), 1e-6);
  EXPECT_LT(amax(abs(memory.read(query, 10) - all)).item(), 1e-6) << "what is not there has no weight";
  const auto best = static_cast<int>(argmax(matmul(keys, query)).item());
  EXPECT_LT(amax(abs(memory.read(query, 1) - values[best])).item(), 1e-6);
  sum(memory.read(query, 10)).backward();
  const Tensor gradient = query.grad();
  query.set_grad({});
  sum(all).backward();
  EXPECT_LT(amax(abs(gradient - query.grad())).item(), 1e-6);
  EXPECT_THROW(memory.append(keys[0], keys[0]), ShapeError);
  EXPECT_EQ(memory.keys().size(), 3);
  EXPECT_EQ(memory.values().size(), 3);
}

}  // namespace
}  // namespace swage::test
