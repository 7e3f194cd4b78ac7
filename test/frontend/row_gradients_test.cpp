// Gradients of tables that are kept as rows.
#include <swage/autograd/row_gradients.hpp>

#include <gtest/gtest.h>

#include <swage/swage.hpp>

namespace swage {
namespace {

void expect_near(const Tensor& a, const Tensor& b, double tolerance, const std::string& what) {
  ASSERT_EQ(a.sizes(), b.sizes()) << what;
  ASSERT_EQ(a.dtype(), b.dtype()) << what;
  const auto left = a.to(DType::f64).contiguous().to_vector<double>(),
             right = b.to(DType::f64).contiguous().to_vector<double>();
  for (std::size_t i = 0; i < left.size(); ++i) EXPECT_NEAR(left[i], right[i], tolerance) << what << " at " << i;
}

TEST(RowGradients, AreThoseOfTheDenseTable) {
  manual_seed(8);
  nn::Embedding sparse(6, 3, true), dense(6, 3);
  no_grad([&] { dense.weight.copy_(sparse.weight); });
  const Tensor ids = tensor({4, 1, 4});
  for (nn::Embedding* table : {&sparse, &dense}) sum(square((*table)(ids))).backward();
  EXPECT_TRUE(autograd::has_rows(sparse.weight));
  expect_near(sparse.weight.grad(), dense.weight.grad(), 0, "outside of scopes");
  sparse.weight.set_grad({});
  EXPECT_FALSE(sparse.weight.grad().defined());
  const Tensor loss = batch([&] {
    std::vector<Tensor> parts;
    for (const std::int64_t id : {4, 1, 4}) parts.push_back(sum(square(sparse(grouping::as_input(id)))));
    return sum_of(parts);
  });
  loss.backward();
  expect_near(sparse.weight.grad(), dense.weight.grad(), 1e-6, "in a scope");
}

TEST(RowGradients, AdamMovesTheRowsThatWereUsed) {
  manual_seed(8);
  nn::Embedding sparse(5, 3, true), dense(5, 3);
  no_grad([&] { dense.weight.copy_(sparse.weight); });
  optim::Adam a(sparse.parameters(), {.lr = 0.1}), b(dense.parameters(), {.lr = 0.1});
  for (int step = 0; step < 3; ++step) {  // all rows: nothing is left out
    for (nn::Embedding* table : {&sparse, &dense}) sum(square((*table)(tensor({0, 1, 2, 3, 4})))).backward();
    a.step();
    b.step();
  }
  expect_near(sparse.weight, dense.weight, 1e-6, "all rows");
  const auto before = sparse.weight.to_vector<float>();
  sum(square(sparse(tensor({2})))).backward();
  a.step();
  const auto after = sparse.weight.to_vector<float>();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i] == after[i], i / 3 != 2) << i;
}

TEST(RowGradients, OtherOptimizersAndClippingTakeThemDense) {
  manual_seed(8);
  nn::Embedding sparse(5, 3, true), dense(5, 3);
  no_grad([&] { dense.weight.copy_(sparse.weight); });
  optim::SGD a(sparse.parameters(), {.lr = 0.1}), b(dense.parameters(), {.lr = 0.1});
  for (nn::Embedding* table : {&sparse, &dense}) {
    sum(square((*table)(tensor({2, 2})))).backward();
    optim::clip_grad_norm_(table->parameters(), 0.5);
  }
  a.step();
  b.step();
  expect_near(sparse.weight, dense.weight, 1e-7, "clipped");
}

}  // namespace
}  // namespace swage
