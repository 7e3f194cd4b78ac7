// A network that grows when it has learned what it can: two spirals, told apart by a perceptron that starts with four hidden units.
#include <cmath>
#include <cstdio>

#include <dynamic.hpp>

#include <swage/swage.hpp>

namespace swage::dynamic {
namespace {

// Points (n,2) of two spirals that wind round each other, and which spiral each belongs to.
std::pair<Tensor, Tensor> spirals(std::int64_t n) {
  std::vector<float> points;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < n; ++i) {
    const double turn = 4.0 * static_cast<double>(i) / static_cast<double>(n), side = i % 2 ? 1 : -1;
    points.push_back(static_cast<float>(side * turn * std::cos(turn)));
    points.push_back(static_cast<float>(side * turn * std::sin(turn)));
    labels.push_back(i % 2);
  }
  return {tensor(points, {n, 2}), tensor(labels, {n})};
}

}  // namespace

void grower() {
  manual_seed(4);
  const auto points = spirals(200);
  const Tensor &inputs = points.first, &labels = points.second;
  nn::Linear hidden{2, 4}, last{4, 2};
  nn::Sequential net(hidden, nn::ReLU(), last);
  optim::Adam adam(net.parameters(), {.lr = 1e-2});
  const auto learn = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      cross_entropy(net(inputs), labels).backward();
      adam.step();
    }
  };
  const auto loss = [&] { return no_grad([&] { return cross_entropy(net(inputs), labels).item(); }); };
  const auto report = [&](const char* what, double before) {
    const double after = loss();
    std::printf("%s: the loss %s, %zu parameters in the optimizer\n", what,
                std::abs(after - before) < 0.01 ? "stays"
                : after < before                ? "falls"
                                                : "grows",
                adam.parameters().size());
    return after;
  };

  double now = report("learn", (learn(500), 1.0));
  nn::widen(hidden, last, 32, {.noise = 0.01}, &adam);
  now = report("widen", now);
  learn(500);
  now = report("learn", now);
  nn::insert(net, 2, nn::identity_linear(32), &adam);
  nn::insert(net, 3, nn::ReLU(), &adam);
  now = report("insert", now);
  learn(500);
  report("learn", now);
}

}  // namespace swage::dynamic
