#include <gtest/gtest.h>

#include <runtime/core/thread_pool.hpp>
#include <swage/env/cart_pole.hpp>
#include <swage/env/mountain_car.hpp>
#include <swage/env/vector.hpp>
#include <swage/swage.hpp>

namespace swage::env {
namespace {

struct ThreadsRestored {
  int before = num_threads();
  ~ThreadsRestored() { set_num_threads(before); }
};

VectorEnvironment cart_poles(std::int64_t count, std::int64_t fewest_per_thread = 32) {
  return VectorEnvironment([] { return std::make_unique<CartPole>(); }, count, fewest_per_thread);
}

std::vector<std::int64_t> random_choices(Random& random, std::int64_t count) {
  std::vector<std::int64_t> made;
  for (std::int64_t i = 0; i < count; ++i) made.push_back(static_cast<std::int64_t>(random.below(2)));
  return made;
}

// Everything that a run shows, as numbers.
std::vector<double> shown(VectorEnvironment& worlds, int steps) {
  std::vector<double> all;
  Random random(5);
  worlds.reset(11);
  for (int i = 0; i < steps; ++i) {
    worlds.step(random_choices(random, worlds.size()));
    all.insert(all.end(), worlds.observations().begin(), worlds.observations().end());
    all.insert(all.end(), worlds.rewards().begin(), worlds.rewards().end());
    for (const EndedEpisode& episode : worlds.ended()) {
      all.insert(all.end(), {static_cast<double>(episode.environment), episode.value, static_cast<double>(episode.length)});
      all.insert(all.end(), episode.last_observation.begin(), episode.last_observation.end());
    }
  }
  return all;
}

TEST(VectorEnvironments, do_the_same_with_any_number_of_threads) {
  const ThreadsRestored restored;
  std::vector<double> alone;
  for (const int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    auto worlds = cart_poles(37, 2);
    const std::vector<double> now = shown(worlds, 120);
    if (threads == 1) alone = now;
    EXPECT_EQ(now, alone) << threads;
  }
}

// Beside single environments with the same seeds, reset by hand.
TEST(VectorEnvironments, are_single_ones_that_are_reset_at_once) {
  constexpr std::int64_t kCount = 5;
  auto worlds = cart_poles(kCount);
  worlds.reset(3);
  std::vector<CartPole> alone(kCount);
  Random seeds(3), random(9);
  for (CartPole& world : alone) world.reset(seeds.next());
  std::vector<double> values(kCount);
  std::size_t ended = 0;
  for (int i = 0; i < 200; ++i) {
    const auto choices = random_choices(random, kCount);
    worlds.step(choices);
    std::size_t now_ended = 0;
    for (std::size_t k = 0; k < kCount; ++k) {
      const Transition now = alone[k].step(choices[k]);
      values[k] += now.reward;
      ASSERT_EQ(worlds.over()[k], now.over());
      ASSERT_EQ(worlds.rewards()[k], static_cast<float>(now.reward));
      if (now.over()) {
        const EndedEpisode& episode = worlds.ended().at(now_ended++);
        EXPECT_EQ(episode.environment, static_cast<std::int64_t>(k));
        EXPECT_EQ(episode.value, values[k]);
        EXPECT_EQ(episode.length, alone[k].steps());
        EXPECT_TRUE(episode.terminated);
        EXPECT_EQ(episode.last_observation, std::vector<double>(now.observation.begin(), now.observation.end()));
        values[k] = 0;
        alone[k].reset();
      }
      for (std::size_t j = 0; j < 4; ++j)
        ASSERT_EQ(worlds.observations()[4 * k + j], static_cast<float>(alone[k].observation()[j]));
    }
    EXPECT_EQ(worlds.ended().size(), now_ended);
    ended += now_ended;
  }
  EXPECT_GT(ended, 20u);
  EXPECT_EQ(worlds.observation_tensor().to_vector<float>(),
            std::vector<float>(worlds.observations().begin(), worlds.observations().end()));
  EXPECT_EQ(worlds.observation_tensor().sizes(), (Dims{kCount, 4}));
}

TEST(VectorEnvironments, say_what_was_cut_short) {
  auto worlds = VectorEnvironment::of<MountainCar>(2);
  worlds.reset(1);
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(worlds.ended().empty());
    worlds.step(std::vector<std::int64_t>{1, 1});
  }
  ASSERT_EQ(worlds.ended().size(), 2u);
  EXPECT_FALSE(worlds.ended()[0].terminated);
  EXPECT_EQ(worlds.ended()[0].value, -200);
  EXPECT_EQ(worlds.ended()[0].length, 200);
}

TEST(VectorEnvironments, go_on_from_what_they_saved) {
  auto worlds = cart_poles(4), others = cart_poles(4);
  Random random(2);
  worlds.reset(1);
  for (int i = 0; i < 30; ++i) worlds.step(random_choices(random, 4));
  others.restore(worlds.save());
  for (int i = 0; i < 60; ++i) {
    const auto choices = random_choices(random, 4);
    worlds.step(choices);
    others.step(choices);
    ASSERT_EQ(std::vector<float>(worlds.observations().begin(), worlds.observations().end()),
              std::vector<float>(others.observations().begin(), others.observations().end()));
    ASSERT_EQ(worlds.ended().size(), others.ended().size());
    for (std::size_t k = 0; k < worlds.ended().size(); ++k) {
      EXPECT_EQ(worlds.ended()[k].value, others.ended()[k].value);
      EXPECT_EQ(worlds.ended()[k].length, others.ended()[k].length);
    }
  }
  EXPECT_THROW(cart_poles(3).restore(worlds.save()), ValueError);
}

TEST(VectorEnvironments, refuse_wrong_actions_before_anything_moves) {
  auto worlds = cart_poles(3);
  using Choices = std::vector<std::int64_t>;
  EXPECT_THROW(worlds.step(Choices{0, 0, 0}), ValueError) << "no reset";
  worlds.reset(1);
  const auto before = worlds.save();
  EXPECT_THROW(worlds.step(Choices{0, 0}), ValueError);
  EXPECT_THROW(worlds.step(Choices{0, 1, 2}), ValueError);
  EXPECT_THROW(worlds.step(std::vector<double>{0, 0.5, 1}), ValueError);
  EXPECT_EQ(worlds.save(), before);
  EXPECT_THROW(cart_poles(0), ValueError);
  EXPECT_THROW(cart_poles(1, 0), ValueError);
}

}  // namespace
}  // namespace swage::env
