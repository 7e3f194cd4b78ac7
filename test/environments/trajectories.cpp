// Prints trajectories of the classic environments for gymnasium_steps.py: a line each with the environment's name, the state it begins in, and for
// every step the action, the state after it, the reward and whether that ended the episode. First 10,000 of one step, from random states over
// all of the space, then 200 of 50 steps.
#include <cstdio>
#include <numbers>

#include <swage/env/acrobot.hpp>
#include <swage/env/cart_pole.hpp>
#include <swage/env/mountain_car.hpp>

namespace swage::env {
namespace {

constexpr int kSingle = 10'000, kLong = 200, kSteps = 50;

using Numbers = std::vector<double>;

std::vector<double> random_state(Random& random, const Numbers& reach, const Numbers& middle) {
  std::vector<double> state;
  for (std::size_t i = 0; i < reach.size(); ++i) state.push_back(middle[i] + uniform(random, -reach[i], reach[i]));
  return state;
}

void print(const char* name, Environment& world, const Numbers& state, int steps, Random& random, bool balanced) {
  std::printf("%s", name);
  for (const double number : state) std::printf(" %.17g", number);
  world.set_state(state);
  Transition now;
  for (int i = 0; i < steps && !now.over(); ++i) {
    auto choice = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(world.action_space().choices())));
    // So that the pole stays up for as long: three pushes of four where they are needed.
    if (balanced && random.below(4)) choice = world.state()[2] + 0.3 * world.state()[3] > 0;
    now = world.step(choice);
    std::printf(" | %lld", static_cast<long long>(choice));
    for (const double number : world.state()) std::printf(" %.17g", number);
    std::printf(" %.17g %d", now.reward, now.terminated ? 1 : 0);
  }
  std::printf("\n");
}

void print_all(const char* name, Environment& world, const Numbers& reach, const Numbers& long_reach, const Numbers& middle) {
  Random random(1);
  const bool balanced = world.action_space().choices() == 2;
  for (int i = 0; i < kSingle; ++i) print(name, world, random_state(random, reach, middle), 1, random, false);
  for (int i = 0; i < kLong; ++i) print(name, world, random_state(random, long_reach, middle), kSteps, random, balanced);
}

}  // namespace
}  // namespace swage::env

int main() {
  using namespace swage::env;
  constexpr double kPi = std::numbers::pi;
  CartPole cart_pole;
  print_all("CartPole-v1", cart_pole, {2.5, 3, 0.22, 3}, {0.05, 0.05, 0.05, 0.05}, {0, 0, 0, 0});
  Acrobot acrobot;
  print_all("Acrobot-v1", acrobot, {kPi, kPi, 4 * kPi, 9 * kPi}, {0.5, 0.5, 1, 1}, {0, 0, 0, 0});
  MountainCar mountain_car;
  print_all("MountainCar-v0", mountain_car, {0.9, 0.07}, {0.9, 0.07}, {-0.3, 0});
}
