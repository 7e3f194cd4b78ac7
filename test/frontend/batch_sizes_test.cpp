// Training with a batch size drawn anew at every step: the bits of eager at every size, few compilations, and no waiting for
// sizes to come back.
#include <random>

#include <gtest/gtest.h>

#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

// Sizes from 1 to `most`, drawn at random.
std::vector<std::int64_t> drawn(std::size_t count, std::int64_t most, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 0; i < count; ++i)
    sizes.push_back(1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most)));
  return sizes;
}

// Trains `model` on batches of these sizes; notes every loss, and the parameters at the end.
template <class Batch>
void train(Notes& note, nn::Module& model, const std::vector<std::int64_t>& sizes, Batch&& batch) {
  optim::SGD optimizer(model.parameters(), {.lr = 0.05, .momentum = 0.9});
  for (std::int64_t n : sizes) {
    const Tensor x = batch(n), target = randint(0, 10, {n});
    swage::step();  // the data is no part of the step
    Tensor loss = cross_entropy(model(x), target);
    loss.backward();
    optimizer.step();
    note(loss);
  }
  for (const Tensor& parameter : model.parameters()) note(parameter);
}

// At most three compilations a segment, in the step (the first segment) and in the drawing of its data (the second).
void expect_few(const Body& body, std::size_t steps) {
  const TierRun run = expect_same(body, steps / 2);
  EXPECT_LE(run.stats.compiles, 6u);
  EXPECT_GT(run.stats.assembled, 0u);
}

void mlp(Notes& note, const std::vector<std::int64_t>& sizes) {
  nn::Sequential model{nn::Linear(20, 48), nn::ReLU(), nn::Linear(48, 10)};
  train(note, model, sizes, [](std::int64_t n) { return randn({n, 20}); });
}

TEST(BatchSizes, Mlp) {
  for (std::uint64_t seed : {1, 2, 3}) expect_few([&](Notes& note) { mlp(note, drawn(60, 64, seed)); }, 60);
}

TEST(BatchSizes, MlpWithAdamThreads) {
  set_num_threads(2);
  const Body body = [](Notes& note) {
    nn::Sequential model{nn::Linear(300, 400), nn::Tanh(), nn::Linear(400, 10)};
    optim::Adam optimizer(model.parameters());
    for (std::int64_t n : drawn(30, 64, 5)) {
      const Tensor x = randn({n, 300}), target = randint(0, 10, {n});
      swage::step();
      Tensor loss = cross_entropy(model(x), target);
      loss.backward();
      optimizer.step();
      note(loss);
    }
  };
  expect_few(body, 30);
  set_num_threads(1);
}

TEST(BatchSizes, Convnet) {
  const Body body = [](Notes& note) {
    const nn::Conv2dOptions whole{.stride = 1, .padding = 1, .bias = false}, halved{.stride = 2, .padding = 1, .bias = false};
    nn::Sequential model{nn::Conv2d(3, 8, 3, whole),   nn::BatchNorm2d(8),  nn::ReLU(),
                         nn::Conv2d(8, 16, 3, halved), nn::BatchNorm2d(16), nn::ReLU(),
                         nn::GlobalAveragePool(),      nn::Linear(16, 10)};
    train(note, model, drawn(50, 64, 9), [](std::int64_t n) { return randn({n, 3, 8, 8}); });
  };
  expect_few(body, 50);
}

TEST(BatchSizes, AttentionOverAnyLength) {
  const Body body = [](Notes& note) {
    nn::MultiheadAttention attention(16, 2, {.is_causal = true});
    nn::LayerNorm norm(16);
    optim::SGD optimizer(attention.parameters(), {.lr = 0.05});
    const auto batches = drawn(40, 8, 11), lengths = drawn(40, 30, 12);
    for (std::size_t i = 0; i < 40; ++i) {
      const Tensor x = randn({batches[i] + 1, lengths[i] + 1, 16});
      swage::step();
      Tensor loss = mean(square(norm(x + attention(x)) - x));
      loss.backward();
      optimizer.step();
      note(loss);
    }
    for (const Tensor& parameter : attention.parameters()) note(parameter);
  };
  const TierRun run = expect_same(body, 1);
  EXPECT_LE(run.stats.compiles, 8u);
}

// A length alone: reductions and softmax over rows that cross the blocks of the reduction tree.
TEST(BatchSizes, RowsOfAnyLength) {
  const Body body = [](Notes& note) {
    const Tensor w = randn({7, 1});
    for (std::int64_t n : {700, 900, 1023, 1024, 1025, 2000, 2047, 2048, 2049, 3000, 17, 16, 15, 2, 1, 900, 5000}) {
      const Tensor x = randn({7, n});
      swage::step();
      const Tensor p = softmax(x * w, 1);
      note(p);
      note(sum(p * x, 1));
    }
  };
  expect_few(body, 17);
}

// Evaluation windows begin like training ones; a literal follows the size in a way that nobody foresees; one size does more.
TEST(BatchSizes, WindowsThatPart) {
  const Body body = [](Notes& note) {
    nn::Linear layer(6, 5);
    const auto sizes = drawn(60, 40, 21);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const std::int64_t n = sizes[i];
      const Tensor x = randn({n, 6});
      swage::step();
      Tensor y = layer(x);
      if (i % 3 == 0) y = y * std::sqrt(static_cast<double>(n));
      if (n % 8 == 0) y = relu(y) + 1;
      if (i % 4 == 0) y = sum(y, 0);
      note(y);
    }
  };
  expect_same(body, 1);
}

}  // namespace
}  // namespace swage::test
