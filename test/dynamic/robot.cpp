// A robot that learns from episodes as long as they happen to be: it balances a pole, and after each fall thinks over what it has done
// (Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", 1992).
#include <algorithm>
#include <cmath>
#include <cstdio>

#include <dynamic.hpp>

#include <swage/env/cart_pole.hpp>
#include <swage/swage.hpp>

namespace swage::dynamic {

void robot() {
  manual_seed(4);
  nn::Sequential policy{nn::Linear(4, 32), nn::Tanh(), nn::Linear(32, 2)};
  optim::Adam adam(policy.parameters(), {.lr = 1e-2});
  env::CartPole world;
  env::Random random(4);
  world.reset(4);

  constexpr int kEpisodes = 400, kCompared = 50;
  double first = 0, last = 0;  // steps of an episode
  for (int episode = 0; episode < kEpisodes; ++episode) {
    std::vector<float> seen;
    std::vector<std::int64_t> choices;
    env::Transition now;
    world.reset();
    do {
      const std::vector<float> here(world.observation().begin(), world.observation().end());
      const Tensor chances = no_grad([&] { return softmax(policy(tensor(here, {1, 4})), 1); });
      choices.push_back(env::uniform(random, 0, 1) < chances[0][1].item());
      seen.insert(seen.end(), here.begin(), here.end());
      now = world.step(choices.back());
    } while (!now.over());

    const std::int64_t steps = world.steps();
    (episode < kCompared ? first : last) +=
        episode < kCompared || episode >= kEpisodes - kCompared ? steps / double{kCompared} : 0;
    std::vector<float> returns(choices.size());
    double later = 0;
    for (std::size_t i = returns.size(); i-- > 0;) returns[i] = static_cast<float>(later = 1 + 0.99 * later);
    const Tensor value = tensor(returns, {steps}), weight = (value - mean(value)) / (sqrt(var(value)) + 1e-6);
    const Tensor log_chances = log_softmax(policy(tensor(seen, {steps, 4})), 1);
    const Tensor loss = -mean(weight * gather(log_chances, 1, tensor(choices, {steps, 1})).squeeze(1));
    loss.backward();
    adam.step();
  }
  std::printf("the pole is up %s at first, %s at last\n", first < 60 ? "for less than 60 steps" : "for long",
              last > 150 ? "for more than 150" : "for too few");
}

}  // namespace swage::dynamic
