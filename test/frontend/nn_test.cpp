#include <cmath>

#include <gtest/gtest.h>

#include <swage/nn/init.hpp>
#include <swage/swage.hpp>

namespace swage {
namespace {

std::vector<std::string> names(const nn::NamedTensors& tensors) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : tensors) result.push_back(name);
  return result;
}

struct Net : nn::Module {
  nn::Conv2d conv1{1, 4, 3, {.padding = 1, .bias = false}};
  nn::BatchNorm2d bn1{4};
  nn::Sequential head{nn::GlobalAveragePool(), nn::Linear(4, 2)};
  Net() {
    register_module("conv1", conv1);
    register_module("bn1", bn1);
    register_module("head", head);
  }
  Tensor forward(const Tensor& x) override { return head(relu(bn1(conv1(x)))); }
};

TEST(Modules, names_and_order_of_the_state) {
  Net net;
  EXPECT_EQ(names(net.state_dict()),
            (std::vector<std::string>{"conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
                                      "bn1.num_batches_tracked", "head.1.weight", "head.1.bias"}));
  EXPECT_EQ(names(net.named_parameters()),
            (std::vector<std::string>{"conv1.weight", "bn1.weight", "bn1.bias", "head.1.weight", "head.1.bias"}));
  EXPECT_EQ(net.parameters().size(), 5u);
  nn::Sequential plain(nn::Linear(3, 2), nn::ReLU(), nn::Linear(2, 1, false));
  EXPECT_EQ(names(plain.state_dict()), (std::vector<std::string>{"0.weight", "0.bias", "2.weight"}));
}

TEST(Modules, initial_values) {
  nn::Linear layer(16, 300);
  double greatest = 0;
  for (float w : layer.weight.to_vector<float>()) greatest = std::max<double>(greatest, std::abs(w));
  EXPECT_LE(greatest, 0.25);
  EXPECT_GT(greatest, 0.24);
  for (float b : layer.bias.to_vector<float>()) EXPECT_LE(std::abs(b), 0.25);
  nn::Conv2d conv(4, 64, 3);
  greatest = 0;
  for (float w : conv.weight.to_vector<float>()) greatest = std::max<double>(greatest, std::abs(w));
  EXPECT_LE(greatest, 1.0 / 6);
  EXPECT_GT(greatest, 0.16);
}

TEST(Modules, orthogonal_weights) {
  for (const Dims& sizes : {Dims{5, 9}, Dims{9, 5}, Dims{6, 6}, Dims{1, 4}}) {
    const Tensor w = zeros(sizes);
    nn::init::orthogonal_(w, 3);
    const bool tall = sizes[0] > sizes[1];
    const Tensor products = tall ? matmul(w.t(), w) : matmul(w, w.t());
    const auto n = products.size(0);
    const auto found = products.to_vector<float>();
    for (std::int64_t i = 0; i < n * n; ++i) EXPECT_NEAR(found[static_cast<std::size_t>(i)], i % (n + 1) == 0 ? 9 : 0, 1e-5);
  }
  EXPECT_THROW(nn::init::orthogonal_(zeros({4})), ValueError);
  EXPECT_THROW(nn::init::orthogonal_(zeros({4, 4}, DType::f64)), ValueError);
}

TEST(Modules, training_and_evaluation) {
  Net net;
  const Tensor x = randn({4, 1, 5, 5});
  EXPECT_EQ(net(x).sizes(), (Dims{4, 2}));
  EXPECT_EQ(net.bn1.num_batches_tracked.item<int>(), 1);
  const auto mean_before = net.bn1.running_mean.to_vector<float>();
  net.eval();
  EXPECT_FALSE(net.bn1.training());
  const auto y = net(x).to_vector<float>();
  EXPECT_EQ(net(x).to_vector<float>(), y);
  EXPECT_EQ(net.bn1.running_mean.to_vector<float>(), mean_before);
  net.train();
  EXPECT_TRUE(net.bn1.training());
}

TEST(Modules, copies_name_the_same_parameters) {
  Net net;
  Net copy = net;
  cross_entropy(copy(randn({2, 1, 4, 4})), tensor({0, 1})).backward();
  EXPECT_TRUE(net.conv1.weight.grad().defined());
  net.zero_grad();
  EXPECT_FALSE(copy.conv1.weight.grad().defined());
}

TEST(Modules, load_state) {
  Net a, b;
  b.load_state_dict(a.state_dict());
  EXPECT_EQ(a.conv1.weight.to_vector<float>(), b.conv1.weight.to_vector<float>());
  auto state = a.state_dict();
  state.pop_back();
  EXPECT_THROW(b.load_state_dict(state), ValueError);
  state = a.state_dict();
  state.emplace_back("extra", ones({1}));
  EXPECT_THROW(b.load_state_dict(state), ValueError);
  state = a.state_dict();
  state[0].second = ones({1});
  EXPECT_THROW(b.load_state_dict(state), ShapeError);
}

}  // namespace
}  // namespace swage
