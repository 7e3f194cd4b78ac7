// Networks that change while they learn: what they compute, what the optimizer knows, and what cannot be done.
#include <cmath>

#include <gtest/gtest.h>

#include <swage/swage.hpp>
#include <test/frontend/tiers.hpp>

namespace swage::test {
namespace {

using Doubles = std::vector<double>;

Doubles values(const Tensor& tensor) { return tensor.to(DType::f64).to_vector<double>(); }

double largest_difference(const Tensor& a, const Tensor& b) { return amax(abs(a - b)).item(); }

struct TwoLayers {
  nn::Linear first{5, 3}, last{3, 2};
  nn::Sequential net{first, nn::ReLU(), last};
  void step(optim::Optimizer& optimizer) const {
    nn::Sequential copy = net;
    cross_entropy(copy(randn({8, 5})), randint(0, 2, {8})).backward();
    optimizer.step();
  }
};

// Net2Net's law, on the host: unit j of the wider layer is unit j % n.
struct Law {
  std::int64_t n, width;
  double copies(std::int64_t j) const {
    double count = 0;
    for (std::int64_t k = j % n; k < width; k += n) ++count;
    return count;
  }
  Doubles rows(const Doubles& matrix, std::int64_t columns, bool divided = false) const {
    Doubles wide;
    for (std::int64_t j = 0; j < width; ++j)
      for (std::int64_t c = 0; c < columns; ++c)
        wide.push_back(matrix[static_cast<std::size_t>(j % n * columns + c)] / (divided ? copies(j) : 1));
    return wide;
  }
  Doubles columns(const Doubles& matrix, std::int64_t rows, bool divided, std::int64_t block = 1) const {
    Doubles wide;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t j = 0; j < width; ++j)
        for (std::int64_t b = 0; b < block; ++b)
          wide.push_back(matrix[static_cast<std::size_t>((r * n + j % n) * block + b)] / (divided ? copies(j) : 1));
    return wide;
  }
};

void expect_near(const Doubles& a, const Doubles& b, double tolerance = 1e-7) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance) << i;
}

TEST(Growth, widening_keeps_the_function) {
  manual_seed(1);
  TwoLayers two;
  const Tensor x = randn({7, 5});
  const Tensor before = no_grad([&] { return two.net(x); });
  for (const std::int64_t width : {6, 7, 20}) {
    nn::widen(two.first, two.last, width);
    EXPECT_LE(largest_difference(no_grad([&] { return two.net(x); }), before), 2e-6);
    EXPECT_EQ(two.first.weight.sizes(), (Dims{width, 5}));
  }
}

TEST(Growth, noise_tells_copies_apart_and_leaves_the_units_there_were) {
  manual_seed(1);
  TwoLayers two;
  const Doubles before = values(two.first.weight);
  const double size = std::sqrt(mean(square(two.first.weight)).item());
  nn::widen(two.first, two.last, 300, {.noise = 0.1});
  const Doubles after = values(two.first.weight);
  double sum = 0;
  for (std::size_t i = 0; i < 1500; ++i) {
    const double off = after[i] - before[i % 15];
    if (i < 15) {
      EXPECT_EQ(off, 0);
    }
    sum += off * off;
  }
  EXPECT_NEAR(std::sqrt(sum / 1485) / size, 0.1, 0.01);
}

TEST(Growth, new_units_may_start_anew) {
  manual_seed(1);
  TwoLayers two;
  optim::SGD sgd(two.net.parameters(), {.lr = 0.1, .momentum = 0.9});
  two.step(sgd);
  const Doubles weight = values(two.first.weight), velocity = values(sgd.slots_of(two.first.weight)[0]);
  nn::widen(two.first, two.last, 30, {.preserve = false}, &sgd);
  const Doubles wide = values(two.first.weight), wide_velocity = values(sgd.slots_of(two.first.weight)[0]);
  EXPECT_TRUE(std::equal(weight.begin(), weight.end(), wide.begin()));
  EXPECT_TRUE(std::equal(velocity.begin(), velocity.end(), wide_velocity.begin()));
  double largest = 0;
  for (std::size_t i = 15; i < 150; ++i) {
    EXPECT_EQ(wide_velocity[i], 0);
    largest = std::max(largest, std::abs(wide[i]));
  }
  EXPECT_GT(largest, 0.9 / std::sqrt(5.0));
  EXPECT_LE(largest, 1 / std::sqrt(5.0));
  const Tensor taken = two.last.weight.detach().narrow(1, 3, 27);
  EXPECT_LE(amax(abs(taken)).item(), 1 / std::sqrt(30.0));
  EXPECT_GT(amax(abs(taken)).item(), 0.8 / std::sqrt(30.0));
  two.step(sgd);
}

TEST(Growth, channels_with_a_batch_norm_between) {
  manual_seed(2);
  nn::Conv2d first(2, 4, 3), second(4, 3, 3);
  nn::BatchNorm2d norm(4);
  nn::Sequential net(first, norm, nn::ReLU(), second, nn::Flatten(), nn::Linear(27, 2));
  const Tensor x = randn({6, 2, 7, 7});
  const auto outputs = [&](bool training) {
    net.train(training);
    return no_grad([&] { return net(x); });
  };
  const Tensor trained = outputs(true), evaluated = outputs(false);
  nn::widen(first, norm, second, 10);
  EXPECT_EQ(norm.running_var.sizes(), (Dims{10}));
  EXPECT_LE(largest_difference(outputs(false), evaluated), 1e-5);
  EXPECT_LE(largest_difference(outputs(true), trained), 1e-5);
}

TEST(Growth, a_flattened_convolution_before_a_linear) {
  manual_seed(3);
  nn::Conv2d first(1, 3, 3);
  nn::Linear last(3 * 4, 2);
  nn::Sequential net(first, nn::ReLU(), nn::Flatten(), last);
  const Tensor x = randn({5, 1, 4, 4});
  const Tensor before = no_grad([&] { return net(x); });
  const Doubles columns = values(last.weight);
  nn::widen(first, last, 8);
  EXPECT_LE(largest_difference(no_grad([&] { return net(x); }), before), 2e-6);
  expect_near(values(last.weight), Law{3, 8}.columns(columns, 2, true, 4));
}

TEST(Growth, units_with_a_layer_norm_between) {
  manual_seed(4);
  nn::Linear first(5, 3), last(3, 2);
  nn::LayerNorm norm(3);
  nn::Sequential net(first, norm, nn::ReLU(), last);
  const Tensor x = randn({7, 5});
  const Tensor before = no_grad([&] { return net(x); });
  EXPECT_THROW(nn::widen(first, norm, last, 7), ValueError);
  nn::widen(first, norm, last, 9);
  EXPECT_LE(largest_difference(no_grad([&] { return net(x); }), before), 5e-6);
}

TEST(Growth, inserted_identities_keep_every_bit) {
  manual_seed(5);
  nn::Sequential net(nn::Linear(5, 3), nn::ReLU(), nn::Linear(3, 2));
  const nn::Sequential copy = net;
  const Tensor x = randn({7, 5}), before = no_grad([&] { return net(x); });
  nn::insert(net, 2, nn::identity_linear(3));
  nn::insert(net, 3, nn::ReLU());
  EXPECT_EQ(values(no_grad([&] { return net(x); })), values(before));
  EXPECT_EQ(copy.size(), 5U);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : copy.state_dict()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"}));

  nn::Sequential images(nn::Conv2d(1, 3, 3), nn::ReLU());
  const Tensor image = randn({2, 1, 8, 8}), map = no_grad([&] { return images(image); });
  nn::insert(images, 2, nn::identity_conv2d(3));
  nn::insert(images, 3, nn::ReLU());
  EXPECT_EQ(values(no_grad([&] { return images(image); })), values(map));
}

// The state of every optimizer, against the law in doubles.
TEST(Growth, state_follows) {
  const auto check = [](auto make) {
    manual_seed(6);
    TwoLayers two;
    auto optimizer = make(two.net.parameters());
    for (int i = 0; i < 4; ++i) two.step(*optimizer);
    cross_entropy(two.net(randn({8, 5})), randint(0, 2, {8})).backward();  // gradients that wait for their step
    const Law law{3, 8};
    struct Expected {
      Tensor tensor;
      Doubles parameter, gradient;
      std::vector<Doubles> slots;
    };
    std::vector<Expected> expected;
    for (const Tensor& tensor : two.net.parameters()) {
      const bool takes = tensor.value() == two.last.weight.value(), untouched = tensor.value() == two.last.bias.value();
      const std::int64_t columns = tensor.dim() == 2 ? tensor.size(1) : 1;
      const auto wide = [&](const Tensor& from, bool divided) {
        const Doubles plain = values(from);
        return untouched ? plain : takes ? law.columns(plain, 2, divided) : law.rows(plain, columns, divided);
      };
      Expected each{tensor, wide(tensor.detach(), takes), wide(tensor.grad(), !takes), {}};
      const auto slots = optimizer->slots_of(tensor);
      for (std::size_t k = 0; k < slots.size(); ++k) each.slots.push_back(wide(slots[k], takes && !optimizer->is_scale(k)));
      expected.push_back(std::move(each));
    }
    nn::widen(two.first, two.last, 8, {}, optimizer.get());
    for (const Expected& each : expected) {
      expect_near(values(each.tensor.detach()), each.parameter);
      expect_near(values(each.tensor.grad()), each.gradient);
      const auto slots = optimizer->slots_of(each.tensor);
      ASSERT_EQ(slots.size(), each.slots.size());
      for (std::size_t k = 0; k < slots.size(); ++k) expect_near(values(slots[k]), each.slots[k]);
    }
    EXPECT_EQ(optimizer->steps(), 4);
    optimizer->step();
    two.step(*optimizer);
  };
  check([](auto parameters) {
    return std::make_unique<optim::SGD>(std::move(parameters), optim::SGDOptions{.lr = 0.1, .momentum = 0.9});
  });
  check([](auto parameters) { return std::make_unique<optim::Adam>(std::move(parameters)); });
  check([](auto parameters) { return std::make_unique<optim::AdamW>(std::move(parameters)); });
}

// Gradients as they are widened are those of the widened network.
TEST(Growth, gradients_are_those_of_the_wider_network) {
  manual_seed(7);
  TwoLayers two;
  const Tensor x = randn({8, 5}), target = randint(0, 2, {8});
  cross_entropy(two.net(x), target).backward();
  nn::widen(two.first, two.last, 7);
  std::vector<Doubles> widened;
  for (const Tensor& tensor : two.net.parameters()) widened.push_back(values(tensor.grad()));
  two.net.zero_grad();
  cross_entropy(two.net(x), target).backward();
  for (std::size_t i = 0; i < widened.size(); ++i) expect_near(values(two.net.parameters()[i].grad()), widened[i], 1e-6);
}

// The next step moves the function as it would have.
TEST(Growth, a_step_and_a_growth_commute) {
  const auto run = [](bool grow_first, auto make) {
    manual_seed(8);
    TwoLayers two;
    auto optimizer = make(two.net.parameters());
    for (int i = 0; i < 3; ++i) two.step(*optimizer);
    const auto coast = [&] {  // on what the optimizer remembers alone
      for (const Tensor& tensor : two.net.parameters()) tensor.set_grad(zeros_like(tensor));
      optimizer->step();
    };
    if (!grow_first) coast();
    nn::widen(two.first, two.last, 6, {}, optimizer.get());
    if (grow_first) coast();
    Doubles all;
    for (const Tensor& tensor : two.net.parameters())
      for (const double value : values(tensor.detach())) all.push_back(value);
    return all;
  };
  const auto sgd = [](auto parameters) {
    return std::make_unique<optim::SGD>(std::move(parameters), optim::SGDOptions{.lr = 0.1, .momentum = 0.9});
  };
  const auto adam = [](auto parameters) {
    return std::make_unique<optim::Adam>(std::move(parameters), optim::AdamOptions{.lr = 0.01});
  };
  EXPECT_EQ(run(true, sgd), run(false, sgd));
  expect_near(run(true, adam), run(false, adam));
}

TEST(Growth, parameters_join_and_leave) {
  manual_seed(9);
  TwoLayers two;
  optim::Adam adam(two.net.parameters(), {.lr = 0.01});
  for (int i = 0; i < 3; ++i) two.step(adam);
  const nn::Linear extra = nn::identity_linear(3);
  nn::insert(two.net, 2, extra, &adam);
  ASSERT_EQ(adam.parameters().size(), 6U);
  EXPECT_FALSE(adam.slots_of(extra.weight)[0].defined());

  // Its first step is that of a new Adam: lr in the direction of the gradient.
  extra.weight.set_grad(full({3, 3}, 2.0));
  adam.step();
  for (const double value : values(extra.weight.detach() - eye(3))) EXPECT_NEAR(value, -0.01, 1e-6);

  optim::Adam other(adam.parameters());
  other.load_state(adam.state());
  extra.weight.set_grad(full({3, 3}, 2.0));
  const Doubles before = values(extra.weight.detach());
  adam.step();
  const Doubles moved = values(extra.weight.detach());
  no_grad([&] { extra.weight.copy_(tensor(before, {3, 3})); });
  extra.weight.set_grad(full({3, 3}, 2.0));
  other.step();  // goes on where the first one was
  EXPECT_EQ(values(extra.weight.detach()), moved);

  nn::remove(two.net, 2, &adam);
  EXPECT_EQ(adam.parameters().size(), 4U);
  EXPECT_TRUE(adam.slots_of(extra.weight).empty());
  EXPECT_TRUE(adam.slots_of(two.last.weight)[0].defined());
  two.step(adam);

  const nn::Linear fresh(3, 2);
  nn::replace(two.net, 2, fresh, &adam);
  EXPECT_FALSE(adam.has(two.last.weight));
  EXPECT_TRUE(adam.has(fresh.weight));
  EXPECT_TRUE(adam.has(two.first.weight));
  EXPECT_THROW(adam.add_parameters({fresh.weight}), ValueError);
  EXPECT_THROW(adam.remove_parameters({two.last.weight}), ValueError);
  EXPECT_EQ(adam.parameters().size(), 4U);
}

TEST(Growth, everybody_sees_it) {
  manual_seed(10);
  TwoLayers two;
  const nn::Linear copy = two.first;
  const std::vector<Tensor> parameters = two.net.parameters();
  const auto names = two.net.state_dict();
  const Tensor taken = snapshot(two.first.weight);
  float* const pointer = two.last.bias.mutable_data<float>();
  pointer[0] = 2;
  nn::widen(two.first, two.last, 6);
  EXPECT_EQ(copy.weight.sizes(), (Dims{6, 5}));
  EXPECT_EQ(parameters[0].sizes(), (Dims{6, 5}));
  EXPECT_EQ(names[2].second.sizes(), (Dims{2, 6}));
  EXPECT_EQ(two.net.state_dict()[1].second.sizes(), (Dims{6}));
  EXPECT_EQ(taken.sizes(), (Dims{3, 5}));  // what was published stays as it was
  EXPECT_EQ(values(taken), values(two.first.weight.detach().narrow(0, 0, 3)));
  EXPECT_TRUE(two.first.weight.requires_grad());
  EXPECT_TRUE(two.first.weight.is_leaf());
  TwoLayers wide;
  nn::widen(wide.first, wide.last, 6);
  wide.net.load_state_dict(two.net.state_dict());
  EXPECT_EQ(values(wide.last.weight), values(two.last.weight));
}

TEST(Growth, while_a_tape_waits_it_is_an_error) {
  manual_seed(11);
  TwoLayers two;
  optim::SGD sgd(two.net.parameters(), {.lr = 0.1, .momentum = 0.9});
  two.step(sgd);
  const Tensor loss = cross_entropy(two.net(randn({8, 5})), randint(0, 2, {8}));
  EXPECT_THROW(nn::widen(two.first, two.last, 6, {}, &sgd), ValueError);
  EXPECT_EQ(two.first.weight.sizes(), (Dims{3, 5}));
  EXPECT_EQ(two.last.weight.sizes(), (Dims{2, 3}));
  EXPECT_EQ(sgd.slots_of(two.first.weight)[0].sizes(), (Dims{3, 5}));
  loss.backward();
  nn::widen(two.first, two.last, 6, {}, &sgd);
  sgd.step();
  EXPECT_EQ(two.first.weight.sizes(), (Dims{6, 5}));

  // A tape that reads nothing of the parameter finds out.
  nn::Conv2d first(1, 2, 1, {.bias = false}), last(2, 1, 1, {.bias = false});
  nn::Sequential net(first, last);
  const Tensor result = sum(net(randn({1, 1, 2, 2})));
  nn::widen(first, last, 4);
  EXPECT_THROW(result.backward(), AutogradError);

  nn::Linear one(1, 2), two_of(2, 1);
  const Tensor shape_alone = sum(one.bias + 1);
  nn::widen(one, two_of, 4);
  EXPECT_THROW(shape_alone.backward(), AutogradError);
}

TEST(Growth, what_does_not_fit_changes_nothing) {
  TwoLayers two;
  nn::ReLU relu;
  nn::Linear narrow(2, 4);
  nn::BatchNorm2d norm(7);
  nn::LayerNorm plain(3, {.affine = false});
  nn::Conv2d convolution(3, 3, 3);
  EXPECT_THROW(nn::widen(two.first, two.last, 3), ValueError);
  EXPECT_THROW(nn::widen(two.first, two.last, 2), ValueError);
  EXPECT_THROW(nn::widen(two.first, two.last, 6, {.noise = -1}), ValueError);
  EXPECT_THROW(nn::widen(two.first, narrow, 6), ShapeError);
  EXPECT_THROW(nn::widen(relu, two.last, 6), ValueError);
  EXPECT_THROW(nn::widen(two.first, relu, 6), ValueError);
  EXPECT_THROW(nn::widen(two.first, norm, two.last, 6), ShapeError);
  EXPECT_THROW(nn::widen(two.first, plain, two.last, 6), ValueError);
  EXPECT_THROW(nn::widen(two.first, convolution, 6), ValueError);
  EXPECT_THROW(nn::widen(convolution, convolution, 6), ValueError);
  EXPECT_THROW(two.net.insert(4, relu), IndexError);
  EXPECT_THROW(nn::remove(two.net, 3), IndexError);
  EXPECT_THROW(nn::replace(two.net, 3, relu), IndexError);
  EXPECT_THROW(nn::init::identity_(two.first.weight), ShapeError);
  const Tensor view = two.first.weight.detach().narrow(0, 0, 1);
  EXPECT_THROW(nn::widen(two.first, two.last, 6), ValueError);
  EXPECT_EQ(two.first.weight.sizes(), (Dims{3, 5}));
  EXPECT_EQ(two.last.weight.sizes(), (Dims{2, 3}));
  EXPECT_EQ(two.net.size(), 3U);
  try {
    nn::widen(two.first, narrow, 6);
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("has 3 outputs, but the next takes 2 inputs"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("growth_test.cpp"), std::string::npos) << error.what();
  }
}

// A cell that promises to be pure captures a layer that grows.
TEST(Growth, known_cells_see_it) {
  manual_seed(12);
  TwoLayers two;
  auto node = cell("node", [&](const Tensor& x) { return two.net(x); }, {.pure = true});
  const Tensor x = randn({6, 5});
  const auto run = [&] {
    std::vector<Tensor> results;
    const Tensor total = batch([&] {
      for (std::int64_t i = 0; i < 6; ++i) results.push_back(node(x[i].reshape({1, 5})));
      return sum_of(results);
    });
    sum(total).backward();
    return values(cat(results).detach());
  };
  const Doubles before = run();
  optim::SGD sgd(two.net.parameters(), {.lr = 0.0});
  sgd.step();
  nn::widen(two.first, two.last, 6, {}, &sgd);
  expect_near(run(), before, 2e-6);
  EXPECT_EQ(two.first.weight.grad().sizes(), (Dims{6, 5}));
}

TEST(Growth, in_all_tiers) {
  for (const bool with_adam : {false, true})
    expect_same(
        [&](Notes& notes) {
          nn::Linear first(6, 4), last(4, 3);
          nn::Sequential net(first, nn::ReLU(), last);
          std::unique_ptr<optim::Optimizer> optimizer;
          if (with_adam)
            optimizer = std::make_unique<optim::Adam>(net.parameters(), optim::AdamOptions{.lr = 0.01});
          else
            optimizer = std::make_unique<optim::SGD>(net.parameters(), optim::SGDOptions{.lr = 0.1, .momentum = 0.9});
          const Tensor x = randn({16, 6}), target = randint(0, 3, {16});
          const auto train = [&](int steps, bool grow_within) {
            for (int i = 0; i < steps; ++i) {
              const Tensor loss = cross_entropy(net(x), target);
              loss.backward();
              if (grow_within && i == steps / 2)
                nn::widen(first, last, first.weight.size(0) + 4, {.noise = 0.1}, optimizer.get());
              optimizer->step();
              notes(loss);
            }
          };
          train(8, false);
          nn::widen(first, last, 8, {.noise = 0.1}, optimizer.get());
          train(8, false);
          nn::widen(first, last, 16, {.preserve = false}, optimizer.get());
          train(12, true);
          nn::insert(net, 2, nn::identity_linear(20), optimizer.get());
          nn::insert(net, 3, nn::ReLU(), optimizer.get());
          train(8, false);
          nn::remove(net, 3, optimizer.get());
          nn::remove(net, 2, optimizer.get());
          train(8, false);
          for (const auto& [name, tensor] : net.state_dict()) notes(tensor);
          for (const auto& [name, tensor] : optimizer->state().tensors) notes(tensor);
        },
        20);
}

}  // namespace
}  // namespace swage::test
