// Programs whose structure moves: trees and routes in batch scopes, with cells and without, and a network that grows while it learns.
#include <test/fuzz/structures.hpp>

#include <functional>

#include <fmt/format.h>

#include <swage/autograd/row_gradients.hpp>
#include <test/fuzz/program.hpp>

namespace swage::fuzz {
namespace {

constexpr std::int64_t kWords = 9, kWidth = 5, kLabels = 3;

// A forest, drawn once for all that is called in it.
class Forest {
 public:
  Forest(Structures& with, std::uint64_t seed, std::uint64_t traits, const Tensor& outside)
      : s_(with), shape_(seed), traits_(traits), outside_(outside) {}

  Tensor tree(int depth) {
    if (depth == 0 || shape_.below(4) == 0) {
      const Tensor leaf = s_.leaf(static_cast<std::int64_t>(shape_.below(kWords)));
      return traits_ & 1 ? leaf * outside_ : leaf;
    }
    const Tensor left = tree(depth - 1), right = tree(depth - 1);
    switch (shape_.below(traits_ & 2 ? 5 : 2)) {
      case 0: return s_.node(left, right).second;
      case 1: return s_.node(left, right).first;
      case 2: return tanh(linear(left, s_.narrow, s_.bias) + right);  // ops outside of cells are grouped too
      case 3: return shape_.below(2) ? left : relu(right);            // a way past
      default: return cat({left.narrow(0, 0, 2), right.narrow(0, 1, 3)}, 0);
    }
  }
  Tensor loss(const Tensor& h) {
    const auto label = static_cast<std::int64_t>(shape_.below(kLabels));
    return traits_ & 4 ? s_.loss(h, label) : sum(square(h));
  }

 private:
  Structures& s_;
  data::HostRandom shape_;
  std::uint64_t traits_;
  const Tensor& outside_;
};

}  // namespace

Structures::Structures(std::uint64_t traits)
    : table(randn({kWords, kWidth}) * 0.5),
      wide(randn({2 * kWidth, 2 * kWidth}) * 0.3),
      narrow(randn({kWidth, kWidth}) * 0.4),
      bias(randn({kWidth}) * 0.1),
      head(randn({kLabels, kWidth}) * 0.4),
      leaf(cell("leaf", LeafBody([this](const Tensor& word) { return tanh(embedding(word, table)); }),
                {.pure = (traits & 8) != 0})),
      node(cell("node", NodeBody([this](const Tensor& left, const Tensor& right) {
                  const Tensor both = linear(cat({left, right}, 0), wide);
                  const Tensor gate = sigmoid(both.narrow(0, 0, kWidth));
                  return std::pair(gate * left + (1.0 - gate) * right, tanh(both.narrow(0, kWidth, kWidth)) + bias);
                }),
                {.pure = (traits & 16) != 0})),
      loss(cell("loss", NodeLossBody([this](const Tensor& h, const Tensor& label) {
                  return cross_entropy(linear(h, head).reshape({1, kLabels}), label.reshape({1}));
                }),
                {.pure = true})),
      net(nn::Linear(6, 8), nn::ReLU(), nn::Linear(8, 3)) {
  const std::vector<Tensor> all = {table, wide, narrow, bias, head};
  for (const Tensor& each : all) each.requires_grad_();
  if (traits & 32) autograd::keep_rows(table);
  of_trees = std::make_unique<optim::Adam>(all, optim::AdamOptions{.lr = 0.01});
  if (traits & 64)
    of_net = std::make_unique<optim::SGD>(net.parameters(), optim::SGDOptions{.lr = 0.05, .momentum = 0.9});
  else
    of_net = std::make_unique<optim::Adam>(net.parameters(), optim::AdamOptions{.lr = 0.01});
}

std::vector<Tensor> Structures::tensors() const {
  std::vector<Tensor> all = {table, wide, narrow, bias, head};
  for (const Tensor& each : net.parameters()) all.push_back(each);
  return all;
}

void Program::forest(Notes& notes) {
  Structures& with = *structures_;
  const std::uint64_t traits = pick(8);
  const std::size_t n_trees = 1 + static_cast<std::size_t>(moving(5));
  const std::uint64_t seed = pick(1000) + (traits_.moves ? static_cast<std::uint64_t>(round_) : 0);
  const std::size_t reads = chance(4) ? 1 + pick(n_trees) : 0, fails = odd_round(8) ? 1 + pick(n_trees) : 0;
  const bool learns = chance(2), writes = chance(6), user_fails = chance(2);
  say(fmt::format("forest of {} trees, shape {}, traits {}{}{}", n_trees, seed, traits, learns ? ", learns" : "",
                  writes ? ", writes" : ""));
  const Tensor outside = randn({kWidth});
  Forest forest(with, seed, traits, outside);
  std::vector<Tensor> roots;
  const Tensor total = swage::batch([&] {
    std::vector<Tensor> losses;
    for (std::size_t i = 1; i <= n_trees; ++i) {
      roots.push_back(forest.tree(1 + static_cast<int>(i % 4)));
      losses.push_back(forest.loss(roots.back()));
      if (i == reads) notes(fmt::format("{}", losses.back().item<float>()));
      if (i == reads && writes) outside.mul_(0.5);
      if (i == fails && user_fails) throw UserError("in a scope");
      if (i == fails) losses.push_back(roots.back() + randn({kWidth + 1}));
    }
    return sum_of(losses);
  });
  keep(total);
  if (chance(2)) keep(roots[pick(roots.size())]);
  if (!learns) return;
  total.backward();
  if (chance(3)) keep(with.narrow.grad().defined() ? with.narrow.grad() : with.bias);
  if (chance(4)) return with.of_trees->zero_grad();
  with.of_trees->step();
}

void Program::grow() {
  Structures& with = *structures_;
  nn::Sequential& net = with.net;
  const std::size_t change = odd_round(3) ? pick(6) : 6;
  const bool before_step = chance(2), preserve = chance(3);
  const double noise = chance(2) ? 0.1 : 0;
  say(fmt::format("a step of the growing net{}", change < 6 ? fmt::format(", change {}", change) : ""));
  const auto changes = [&] {
    auto& first = dynamic_cast<nn::Linear&>(net[0]);
    const std::int64_t width = first.weight.size(0);
    switch (change) {
      case 0:
      case 1:
        if (width < 40)
          nn::widen(first, net[2], width + (change == 0 ? width : 3), {.preserve = preserve, .noise = noise},
                    with.of_net.get());
        break;
      case 2:
        if (net.size() > 7) break;
        nn::insert(net, 2, nn::ReLU(), with.of_net.get());
        nn::insert(net, 2, nn::identity_linear(width), with.of_net.get());
        break;
      case 3:
        if (net.size() < 5) break;
        nn::remove(net, 2, with.of_net.get());
        nn::remove(net, 2, with.of_net.get());
        break;
      case 4: nn::replace(net, 1, nn::Tanh(), with.of_net.get()); break;
      case 5: nn::widen(first, net[2], 1, {}, with.of_net.get()); break;  // an error
      default: break;
    }
  };
  const Tensor x = randn({batch(), 6});
  const Tensor loss = mean(square(net(x) - 1));
  loss.backward();
  keep(loss);
  if (before_step) changes();
  with.of_net->step();
  if (!before_step) changes();
  if (chance(3)) keep(net(x));
}

}  // namespace swage::fuzz
