#include <swage/env/grid_world.hpp>

#include <cmath>

#include <gtest/gtest.h>

#include <swage/swage.hpp>

namespace swage::env {
namespace {

using Numbers = std::vector<double>;

// S . #
// . # G
// . . .
const Numbers kMaze = {0, 0, 1, 2, 0, 0, 1, 0, 1, 0, 0, 0, 0};
constexpr std::int64_t kUp = 0, kRight = 1, kDown = 2, kLeft = 3;

TEST(GridWorld, a_way_through_a_maze) {
  GridWorld world({.rows = 3, .columns = 3});
  world.set_state(kMaze);
  const auto seen = world.observation();
  EXPECT_EQ(Numbers(seen.begin(), seen.end()), (Numbers{1.0 / 3, 2.0 / 3, 1, 1, 1, 1, 0, 1, 0, 1}));
  const auto at = [&] { return std::pair(world.state()[0], world.state()[1]); };
  for (const std::int64_t closed : {kUp, kLeft}) {
    EXPECT_EQ(world.step(closed).reward, -0.01);
    EXPECT_EQ(at(), std::pair(0.0, 0.0)) << "the edge";
  }
  world.step(kRight);
  EXPECT_EQ(at(), std::pair(0.0, 1.0));
  world.step(kDown);
  EXPECT_EQ(at(), std::pair(0.0, 1.0)) << "a wall";
  world.step(kLeft);
  for (const std::int64_t way : {kDown, kDown, kRight, kRight}) EXPECT_FALSE(world.step(way).over());
  EXPECT_EQ(at(), std::pair(2.0, 2.0));
  const Transition last = world.step(kUp);
  EXPECT_TRUE(last.terminated);
  EXPECT_EQ(last.reward, 1);
  EXPECT_EQ(last.observation[0], 0);
}

TEST(GridWorld, lasts_four_steps_a_cell) {
  GridWorld world({.rows = 3, .columns = 3});
  world.set_state(kMaze);
  for (int i = 1; i < 36; ++i) ASSERT_FALSE(world.step(kUp).over());
  const Transition last = world.step(kUp);
  EXPECT_TRUE(last.truncated);
  EXPECT_FALSE(last.terminated);
}

// Who keeps a hand on the wall, so to speak: a search by the state finds the goal in every world that is drawn.
TEST(GridWorld, there_always_is_a_way) {
  GridWorld world({.rows = 6, .columns = 7, .walls = 0.5});
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    world.reset(seed);
    const Numbers state(world.state().begin(), world.state().end());
    Numbers known(42, -1);  // the distance to each cell, found by relaxation
    known[static_cast<std::size_t>(state[0] * 7 + state[1])] = 0;
    for (int round = 0; round < 42; ++round)
      for (std::size_t cell = 0; cell < 42; ++cell) {
        if (state[4 + cell] != 0) continue;
        const bool beside = (cell % 7 > 0 && known[cell - 1] >= 0) || (cell % 7 < 6 && known[cell + 1] >= 0) ||
                            (cell >= 7 && known[cell - 7] >= 0) || (cell < 35 && known[cell + 7] >= 0);
        if (known[cell] < 0 && beside) known[cell] = 1;
      }
    ASSERT_GE(known[static_cast<std::size_t>(state[2] * 7 + state[3])], 0) << seed;
    ASSERT_TRUE(world.observation_space().contains(world.observation()));
  }
}

TEST(GridWorld, slips_as_often_as_told) {
  GridWorld world({.rows = 50, .columns = 1, .walls = 0, .slip = 0.4});
  world.reset(1);
  int moved = 0;
  constexpr int kTries = 4000;
  for (int i = 0; i < kTries; ++i) {
    Numbers state(4 + 50);
    state[0] = 25;
    state[2] = 49;
    world.set_state(state);
    moved += world.step(kRight).observation[0] != (49.0 - 25) / 50;
  }
  EXPECT_NEAR(moved, kTries * 0.4 / 2, 5 * std::sqrt(kTries * 0.2 * 0.8)) << "half of the slips go up or down";
}

TEST(GridWorld, refuses_what_cannot_be) {
  EXPECT_THROW(GridWorld({.rows = 1, .columns = 1}), ValueError);
  EXPECT_THROW(GridWorld({.rows = 0}), ValueError);
  EXPECT_THROW(GridWorld({.walls = 0.6}), ValueError);
  EXPECT_THROW(GridWorld({.slip = NAN}), ValueError);
  GridWorld world({.rows = 3, .columns = 3});
  world.reset(1);
  for (const auto& [place, number] : {std::pair<std::size_t, double>{0, 3}, {1, 0.5}, {1, 2}, {2, 0}, {6, 0.5}}) {
    Numbers state = kMaze;
    state[place] = number;
    if (place == 2) state[3] = 0;
    EXPECT_THROW(world.set_state(state), ValueError) << place;
  }
  EXPECT_THROW(world.step(4), ValueError);
}

}  // namespace
}  // namespace swage::env
