// Steps worked out by hand, limits, seeds and wrong actions. Whole trajectories beside Gymnasium's: test/environments/.
#include <array>
#include <cmath>
#include <functional>
#include <numbers>

#include <gtest/gtest.h>

#include <swage/env/acrobot.hpp>
#include <swage/env/cart_pole.hpp>
#include <swage/env/mountain_car.hpp>
#include <swage/swage.hpp>

namespace swage::env {
namespace {

using Numbers = std::vector<double>;

Numbers numbers(std::span<const double> of) { return {of.begin(), of.end()}; }

void expect_near(std::span<const double> found, const Numbers& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-12) << i;
}

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "nothing was raised";
}

TEST(Spaces, tell_what_is_in_them) {
  const Space two = Space::choices(2), square = Space::box(2, -1, 1);
  EXPECT_TRUE(two.discrete());
  EXPECT_EQ(two.width(), 1);
  EXPECT_TRUE(two.contains(Numbers{1}));
  for (const Numbers& wrong : {Numbers{2}, Numbers{-1}, Numbers{0.5}, Numbers{}, Numbers{0, 1}, Numbers{NAN}})
    EXPECT_FALSE(two.contains(wrong));
  EXPECT_FALSE(square.discrete());
  EXPECT_TRUE(square.contains(Numbers{-1, 0.5}));
  EXPECT_FALSE(square.contains(Numbers{0, 1.01}));
  EXPECT_FALSE(square.contains(Numbers{0, NAN}));
  EXPECT_EQ(two.text(), "one of 0 … 1");
  EXPECT_EQ(square.text(), "2 numbers within [-1, 1]");
  EXPECT_THROW(Space::choices(0), ValueError);
  EXPECT_THROW(Space::box({0, 1}, {1}), ValueError);
  EXPECT_THROW(Space::box({}, {}), ValueError);
  EXPECT_THROW(Space::box({1}, {0}), ValueError);
}

// At rest and upright: sine 0, cosine 1. push = ±10/1.1, the pole falls the other way at −push/(0.5·(4/3 − 0.1/1.1)), and the cart is pulled
// by 0.05/1.1 of that. Positions move with the velocities of before.
TEST(CartPole, a_push_from_rest) {
  CartPole world;
  for (const int choice : {0, 1}) {
    world.set_state(Numbers{0, 0, 0, 0});
    const Transition now = world.step(choice);
    const double push = (choice ? 10 : -10) / 1.1, turn = -push / (0.5 * (4.0 / 3.0 - 0.1 / 1.1));
    expect_near(now.observation, {0, 0.02 * (push - 0.05 / 1.1 * turn), 0, 0.02 * turn});
    EXPECT_EQ(now.reward, 1);
    EXPECT_FALSE(now.over());
  }
  world.set_state(Numbers{1, 2, 0.1, -3});
  expect_near(numbers(world.step(1).observation.first(1)), {1 + 0.02 * 2});
  EXPECT_NEAR(world.state()[2], 0.1 - 0.02 * 3, 1e-12);
}

TEST(CartPole, ends_beyond_its_bounds) {
  CartPole world;
  const double steepest = 12 * std::numbers::pi / 180;
  for (const Numbers& state : {Numbers{2.39, 1, 0, 0}, Numbers{-2.39, -1, 0, 0}, Numbers{0, 0, steepest - 0.01, 1},
                               Numbers{0, 0, -steepest + 0.01, -1}}) {
    world.set_state(state);
    const Transition last = world.step(0);
    EXPECT_TRUE(last.terminated);
    EXPECT_FALSE(last.truncated);
    EXPECT_EQ(last.reward, 1);
    EXPECT_NE(message_of([&] { world.step(0); }).find("no episode is running"), std::string::npos);
    world.reset();
    EXPECT_FALSE(world.step(0).over());
  }
  world.set_state(Numbers{2.38, 0.9, 0, 0});
  EXPECT_FALSE(world.step(0).terminated) << "2.398 is within";
}

// Hanging still, nothing moves without a torque. With torque 1 the second link starts: from rest at zero angles d1 = 0.25 + 2.25 + 2 = 4.5 and
// d2 = 1.75, so the accelerations are 1/(1.25 − d2²/d1) and −d2/d1 of it.
TEST(Acrobot, starts_as_the_equations_say) {
  Acrobot world;
  world.set_state(Numbers{0, 0, 0, 0});
  const Transition still = world.step(1);
  expect_near(world.state(), {0, 0, 0, 0});
  expect_near(still.observation, {1, 0, 1, 0, 0, 0});
  EXPECT_EQ(still.reward, -1);
  world.step(2);
  const double second = 1 / (1.25 - 1.75 * 1.75 / 4.5);
  EXPECT_NEAR(world.state()[3] / 0.2, second, 0.25 * second) << "over so long a step gravity counts too";
  EXPECT_NEAR(world.state()[2] / world.state()[3], -1.75 / 4.5, 0.01);
  EXPECT_GT(world.state()[1], 0);
}

TEST(Acrobot, ends_when_the_tip_is_up_and_wraps_angles) {
  Acrobot world;
  world.set_state(Numbers{std::numbers::pi, 0, 0, 0});
  const Transition up = world.step(1);
  EXPECT_TRUE(up.terminated);
  EXPECT_EQ(up.reward, 0);
  world.set_state(Numbers{3.1, 3.1, 4, 4});
  world.step(1);
  EXPECT_LT(world.state()[0], 0);
  EXPECT_GE(world.state()[0], -std::numbers::pi);
  world.set_state(Numbers{0, 0, 100, -100});
  world.step(1);
  EXPECT_LE(world.state()[2], 4 * std::numbers::pi);
  EXPECT_GE(world.state()[3], -9 * std::numbers::pi);
}

TEST(MountainCar, steps_by_hand) {
  MountainCar world;
  world.set_state(Numbers{-0.5, 0.01});
  const double velocity = 0.01 + 0.001 - 0.0025 * std::cos(-1.5);
  expect_near(world.step(2).observation, {-0.5 + velocity, velocity});
  world.set_state(Numbers{-1.19, -0.07});
  expect_near(world.step(0).observation, {-1.2, 0});  // stopped by the wall
  world.set_state(Numbers{0.45, 0.07});
  const Transition last = world.step(2);
  EXPECT_TRUE(last.terminated);
  EXPECT_EQ(last.reward, -1);
  EXPECT_LE(last.observation[1], 0.07) << "no faster than that";
}

template <class World>
class Classic : public testing::Test {};
struct Names {
  template <class World>
  static std::string GetName(int i) {
    return std::array{"CartPole", "Acrobot", "MountainCar"}[static_cast<std::size_t>(i)];
  }
};
using Worlds = testing::Types<CartPole, Acrobot, MountainCar>;
TYPED_TEST_SUITE(Classic, Worlds, Names);

TYPED_TEST(Classic, the_seed_says_all) {
  TypeParam a, b;
  const auto play = [](Environment& world, Random choices) {
    Numbers seen;
    for (int i = 0; i < 300; ++i) {
      const Transition now = world.step(static_cast<std::int64_t>(choices.below(2)));
      seen.insert(seen.end(), now.observation.begin(), now.observation.end());
      if (now.over()) seen.push_back(world.reset()[0]);
    }
    return seen;
  };
  a.reset(7);
  b.reset(7);
  const Numbers first = play(a, Random(1));
  EXPECT_EQ(first, play(b, Random(1)));
  b.reset(8);
  EXPECT_NE(first, play(b, Random(1)));
  EXPECT_TRUE(a.observation_space().contains(a.reset()));
}

TYPED_TEST(Classic, lasts_no_longer_than_its_longest) {
  TypeParam world;
  const Numbers start = numbers(world.reset(1));
  ASSERT_GT(world.longest_episode(), 0);
  std::int64_t truncated = 0;
  for (int seed = 0; seed < 3; ++seed) {
    world.reset(static_cast<std::uint64_t>(seed));
    Transition now;
    do {
      // The middle keeps the pole up; elsewhere nothing is done at all.
      const auto seen = world.observation();
      now = world.step(world.action_space().choices() == 2 ? seen[2] + 0.3 * seen[3] + 0.02 * seen[0] + 0.05 * seen[1] > 0 : 1);
    } while (!now.over());
    EXPECT_EQ(world.steps(), world.longest_episode());
    truncated += now.truncated && !now.terminated;
  }
  EXPECT_EQ(truncated, 3);
}

TYPED_TEST(Classic, goes_on_from_what_it_saved) {
  TypeParam a, b;
  a.reset(3);
  for (int i = 0; i < 5; ++i) a.step(1);
  const auto words = a.save();
  b.restore(words);
  EXPECT_EQ(b.steps(), 5);
  EXPECT_EQ(numbers(a.observation()), numbers(b.observation()));
  EXPECT_EQ(numbers(a.step(0).observation), numbers(b.step(0).observation));
  EXPECT_EQ(numbers(a.reset()), numbers(b.reset()));
  EXPECT_THROW(b.restore(std::span(words).first(words.size() - 1)), ValueError);
  TypeParam never_reset;
  b.restore(never_reset.save());
  EXPECT_FALSE(b.running());
}

TYPED_TEST(Classic, wrong_actions_and_states_are_named) {
  TypeParam world;
  EXPECT_NE(message_of([&] { world.step(0); }).find("reset the environment first"), std::string::npos);
  world.reset(1);
  const std::int64_t choices = world.action_space().choices();
  const Numbers before = numbers(world.state());
  EXPECT_NE(
      message_of([&] { world.step(choices); }).find("[step] the action must be one of 0 … " + std::to_string(choices - 1)),
      std::string::npos)
      << message_of([&] { world.step(choices); });
  EXPECT_NE(message_of([&] { world.step(-1); }).find("env_test.cpp"), std::string::npos);
  EXPECT_THROW(world.step(Numbers{0.5}), ValueError);
  EXPECT_THROW(world.step(Numbers{0, 0}), ValueError);
  EXPECT_EQ(numbers(world.state()), before);
  EXPECT_THROW(world.set_state(Numbers{0}), ValueError);
  EXPECT_THROW(world.set_state(Numbers(before.size(), NAN)), ValueError);
}

}  // namespace
}  // namespace swage::env
