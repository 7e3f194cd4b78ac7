// Snapshots: what tensors held when they were taken, whatever is written afterwards, here and on other threads.

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include <runtime/core/shared_buffer.hpp>
#include <swage/swage.hpp>
#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

const void* address_of(const Tensor& tensor) { return tensor.value()->address(); }

TEST(Snapshots, KeepWhatWasThereAndCopyOnlyWhenItIsWritten) {
  const Tensor a = randn({64, 64});
  swage::step();
  const auto before = a.to_vector<float>();
  const Tensor taken = snapshot(a);
  EXPECT_EQ(address_of(taken), address_of(a));
  EXPECT_FALSE(taken.same_storage(a));
  const Tensor b = a * 2;  // reading copies nothing
  swage::step();
  EXPECT_EQ(address_of(taken), address_of(a));
  a.add_(1.0);
  swage::step();
  EXPECT_NE(address_of(taken), address_of(a));
  EXPECT_EQ(taken.to_vector<float>(), before);
  EXPECT_EQ(a.to_vector<float>()[0], before[0] + 1);
  const void* const own = address_of(a);
  a.add_(1.0);
  swage::step();
  EXPECT_EQ(address_of(a), own);
}

TEST(Snapshots, CostNothingOnceTheyAreGone) {
  const Tensor a = randn({64, 64});
  swage::step();
  const void* const there = address_of(a);
  {
    const Tensor taken = snapshot(a);
  }
  a.add_(1.0);
  swage::step();
  EXPECT_EQ(address_of(a), there);
}

TEST(Snapshots, AreTheSameInAllTiers) {
  expect_same(
      [](Notes& notes) {
        const Tensor w = randn({16, 16}).requires_grad_(), x = randn({4, 16}), rows = randn({6, 8});
        std::vector<Tensor> taken;
        for (int i = 0; i < 12; ++i) {
          const Tensor loss = mean(square(matmul(x, w)));
          loss.backward();
          {
            const NoGradGuard no_grad;
            if (i % 3 == 0) taken.push_back(snapshot(w));  // before the write of this very window
            w.sub_(w.grad() * 0.1);
            w.set_grad({});
            rows.narrow(0, i % 5, 2).mul_(1.5);
            if (i % 4 == 1) taken.push_back(snapshot(rows.t().narrow(0, 1, 3)));
            if (i % 4 == 2) taken.back().add_(1.0);  // changes the snapshot alone
          }
          swage::step();
          notes(loss);
          if (i == 8) taken.erase(taken.begin());
        }
        for (const Tensor& each : taken) notes(each);
        notes(w);
        notes(rows);
      },
      2);
}

TEST(Snapshots, OfAModuleAreItsStateByName) {
  const nn::Linear model(3, 2);
  const auto taken = snapshot(model);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].first, "weight");
  EXPECT_FALSE(taken[0].second.requires_grad());
  const auto before = taken[0].second.to_vector<float>();
  {
    const NoGradGuard no_grad;
    for (const Tensor& parameter : model.parameters()) parameter.zero_();
  }
  const nn::Linear other(3, 2);
  other.load_state_dict(taken);
  EXPECT_EQ(other.parameters()[0].to_vector<float>(), before);
  EXPECT_EQ(model.parameters()[0].to_vector<float>(), std::vector<float>(6));
}

TEST(Snapshots, OfMemoryThatTheUserHoldsAreCopies) {
  const Tensor a = zeros({8});
  float* const data = a.mutable_data<float>();
  const Tensor taken = snapshot(a);
  data[0] = 7;
  EXPECT_EQ(taken.to_vector<float>()[0], 0);
  // A pointer for writing takes the buffer away from snapshots.
  const Tensor b = zeros({8});
  const Tensor of_b = snapshot(b);
  b.mutable_data<float>()[0] = 7;
  EXPECT_EQ(of_b.to_vector<float>()[0], 0);
  EXPECT_EQ(b.to_vector<float>()[0], 7);
  EXPECT_THROW(snapshot(Tensor()), ValueError);
}

// A thread trains, another one serves: what it reads is always whole, all parameters of one step.
TEST(Snapshots, AServingThreadSeesWholeVersionsWhileTrainingGoesOn) {
  constexpr int kParameters = 6, kSteps = 3000;
  const EngineOptions options = engine_options();
  EngineOptions eager_to_compile = options;
  eager_to_compile.weigh_cost = false;
  eager_to_compile.background = false;
  set_engine_options(eager_to_compile);
  const EngineStats before = stats();

  std::mutex mutex;
  std::shared_ptr<const std::vector<Tensor>> published;
  std::atomic<bool> done{false};
  std::atomic<int> served{0};
  int versions = 0, torn = 0;
  std::thread serving([&] {
    float last = -1;
    while (!done) {
      std::shared_ptr<const std::vector<Tensor>> weights;
      {
        const std::lock_guard lock(mutex);
        weights = published;
      }
      if (!weights) continue;
      // Every element of every parameter is the number of the step, plus its place in the list.
      const float version = (*weights)[0].to_vector<float>()[0];
      for (int k = 0; k < kParameters; ++k) {
        const Tensor& weight = (*weights)[static_cast<std::size_t>(k)];
        const Tensor wrong = sum(abs(weight - (static_cast<double>(version) + k)));
        torn += wrong.item<float>() != 0;
      }
      torn += version < last;  // never backwards
      versions += version != last;
      last = version;
      ++served;
    }
  });
  {
    std::vector<Tensor> parameters;
    parameters.reserve(kParameters);
    for (int k = 0; k < kParameters; ++k) parameters.push_back(full({64, 32}, static_cast<double>(k)));
    const Tensor one = ones({1});
    for (int i = 0; i < kSteps; ++i) {
      for (const Tensor& parameter : parameters) parameter.add_(one * 0.5 + 0.5);
      swage::step();
      if (i % 3 != 0) continue;
      auto taken = std::make_shared<const std::vector<Tensor>>(snapshot(parameters));
      const std::lock_guard lock(mutex);
      published = std::move(taken);
    }
    for (int k = 0; k < kParameters; ++k)
      EXPECT_EQ(parameters[static_cast<std::size_t>(k)].to_vector<float>()[0], static_cast<float>(kSteps + k));
  }
  while (served < 20) std::this_thread::yield();  // the last one goes on being there
  done = true;
  serving.join();
  EXPECT_EQ(torn, 0);
  EXPECT_GE(versions, 1);
  EXPECT_GT(stats().hits, before.hits + kSteps / 2);
  set_engine_options(options);
  forget_traces();
}

}  // namespace
}  // namespace swage::test
