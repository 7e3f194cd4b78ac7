// Batch scopes: what runs as one gives what runs alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <swage/swage.hpp>
#include <swage/batch/run.hpp>

namespace swage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Batch, OpsOfInstancesRunAsOne) {
  manual_seed(1);
  const Tensor w = randn({4, 3}).requires_grad_();
  std::vector<Tensor> inputs, results;
  for (int i = 0; i < 5; ++i) inputs.push_back(randn({2, 4}));
  const auto before = grouping::batch_stats();
  batch([&] {
    for (const Tensor& x : inputs) results.push_back(tanh(matmul(x, w)));
  });
  EXPECT_EQ(grouping::batch_stats().groups - before.groups, 2u);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor alone = tanh(matmul(inputs[i], w));
    EXPECT_EQ(results[i].to_vector<float>(), alone.to_vector<float>());
  }
}

TEST(Batch, GradientsOfSharedWeightsAreSumsOverInstances) {
  manual_seed(2);
  const Tensor w = randn({4, 3}, DType::f64).requires_grad_(), b = randn({3}, DType::f64).requires_grad_();
  std::vector<Tensor> inputs;
  for (int i = 0; i < 7; ++i) inputs.push_back(randn({4}, DType::f64));
  const auto loss_of = [&] {
    std::vector<Tensor> losses;
    for (const Tensor& x : inputs) losses.push_back(sum(square(tanh(matmul(x, w) + b))));
    return sum_of(losses);
  };
  const Tensor batched = batch(loss_of);
  batched.backward();
  const auto dw = w.grad().contiguous().to_vector<double>(), db = b.grad().to_vector<double>();
  w.set_grad({});
  b.set_grad({});
  const Tensor alone = loss_of();
  alone.backward();
  EXPECT_NEAR(batched.item(), alone.item(), 1e-12);
  const auto dw2 = w.grad().contiguous().to_vector<double>(), db2 = b.grad().to_vector<double>();
  for (std::size_t i = 0; i < dw.size(); ++i) EXPECT_NEAR(dw[i], dw2[i], 1e-12);
  for (std::size_t i = 0; i < db.size(); ++i) EXPECT_NEAR(db[i], db2[i], 1e-12);
}

}  // namespace
}  // namespace swage
