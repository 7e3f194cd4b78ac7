// The track by geometry worked out by hand, and the car on it.
#include <swage/env/driving.hpp>

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include <swage/env/vector.hpp>
#include <swage/swage.hpp>

namespace swage::env {
namespace {

constexpr double kPi = std::numbers::pi;

using Numbers = std::vector<double>;

// A square of 40 m, driven counter-clockwise from (0, 0); its borders are squares of 34 and 46 m.
Track square() { return Track({{0, 0}, {40, 0}, {40, 40}, {0, 40}}, 3); }

Numbers look(const Track& track, Point from, const Numbers& degrees, double range) {
  Numbers headings, distances(degrees.size());
  for (const double angle : degrees) headings.push_back(angle * kPi / 180);
  track.look(from, headings, range, distances);
  return distances;
}

void expect_near(const Numbers& found, const Numbers& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-9) << i;
}

TEST(Tracks, rays_end_at_the_borders) {
  const Track track = square();
  EXPECT_EQ(track.length(), 160);
  // From the middle of the lower side: ahead the outer border at x = 43, behind it at x = −3, left the inner one at y = 3, right the outer one.
  expect_near(look(track, {20, 0}, {0, 180, 90, -90}, 100), {23, 23, 3, 3});
  // Aslant: to the left the inner border at y = 3; to the right the outer one at y = −3, both 3/sin away.
  expect_near(look(track, {20, 0}, {30, -30, 150}, 100), {6, 6, 6});
  // Along the diagonal of the corner the inner border's corner at (3, 3) is 3√2 away, and past it the way is free up to x = 43.
  expect_near(look(track, {0, 0}, {45}, 100), {3 * std::sqrt(2.0)});
  expect_near(look(track, {1, 0}, {0, 90}, 100), {42, 43});
  expect_near(look(track, {20, 0}, {0, 90}, 10), {10, 3});  // nothing within reach
  expect_near(look(track, {20, 1}, {90, -90}, 100), {2, 4});
}

TEST(Tracks, the_nearest_place_is_on_the_middle) {
  const Track track = square();
  const Track::Place side = track.nearest({12, 1.5}), corner = track.nearest({42, -2}), third = track.nearest({30, 41});
  EXPECT_NEAR(side.along, 12, 1e-12);
  EXPECT_NEAR(side.distance, 1.5, 1e-12);
  EXPECT_NEAR(side.heading, 0, 1e-12);
  EXPECT_NEAR(corner.along, 40, 1e-12);
  EXPECT_NEAR(corner.distance, std::sqrt(8.0), 1e-12);
  EXPECT_NEAR(third.along, 90, 1e-12);
  EXPECT_NEAR(std::abs(third.heading), kPi, 1e-12);
  for (const double along : {0.0, 12.0, 95.5, 160.0 + 12, -10.0}) {
    const Point point = track.point_at(along);
    const Track::Place place = track.nearest(point);
    EXPECT_NEAR(place.distance, 0, 1e-9);
    EXPECT_NEAR(std::remainder(place.along - along, 160), 0, 1e-9);
  }
  EXPECT_THROW(Track({{0, 0}, {1, 0}}, 1), ValueError);
  EXPECT_THROW(Track({{0, 0}, {1, 0}, {1, 0}}, 1), ValueError);
  EXPECT_THROW(Track({{0, 0}, {1, 0}, {1, 1}}, 0), ValueError);
}

// What the generator promises, seen from the car: on the middle the border is half a width away on both sides, or further where it bends away.
TEST(Tracks, random_ones_are_smooth_and_closed) {
  double shortest = 1e9, longest = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Track track(seed), again(seed);
    shortest = std::min(shortest, track.length());
    longest = std::max(longest, track.length());
    EXPECT_EQ(track.length(), again.length());
    double before = track.nearest(track.point_at(track.length() - 1)).heading;
    for (int metre = 0; metre < track.length(); ++metre) {
      const Point point = track.point_at(metre);
      const Track::Place place = track.nearest(point);
      const double bend = std::abs(std::remainder(place.heading - before, 2 * kPi));
      before = place.heading;
      ASSERT_LT(bend, 0.35) << "more than a radius of 9 m and the length of a segment allow";
      for (const double side : {kPi / 2, -kPi / 2}) {
        double distance = 0;
        track.look(point, {{place.heading + side}}, 20, {&distance, 1});
        ASSERT_GT(distance, 0.9 * track.half_width()) << seed << " at " << metre;
        ASSERT_LT(distance, 1.6 * track.half_width()) << seed << " at " << metre;
      }
    }
  }
  EXPECT_GT(shortest, 2 * kPi * 30);
  EXPECT_GT(longest, 1.05 * shortest) << "they differ";
}

TEST(Driving, straight_on_leaves_the_track) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Driving world;
    world.reset(seed);
    Transition now;
    do now = world.step(Numbers{0, 1});
    while (!now.over());
    EXPECT_TRUE(now.terminated);
    EXPECT_LT(world.steps(), 200);
    EXPECT_LT(now.reward, -8) << "10, less the way of the last step";
    EXPECT_GT(world.track().nearest({world.state()[1], world.state()[2]}).distance, world.track().half_width());
  }
}

// Steering for the middle by what the track says, slowly, keeps the car on it; and the way adds up to the laps that it has made.
TEST(Driving, a_careful_driver_stays) {
  Driving world;
  world.reset(4);
  double way = 0, driven = 0;
  Transition now;
  do {
    const auto state = world.state();
    const Point ahead = world.track().point_at(world.track().nearest({state[1], state[2]}).along + 5);
    const double off = std::remainder(std::atan2(ahead.y - state[2], ahead.x - state[1]) - state[3], 2 * kPi);
    now = world.step(Numbers{std::clamp(3 * off, -1.0, 1.0), state[4] < 6 ? 1.0 : -1.0});
    way += now.reward * 1.5;
    driven += 0.1 * world.state()[4];
  } while (!now.over());
  EXPECT_TRUE(now.truncated);
  EXPECT_EQ(world.steps(), 1000);
  EXPECT_GT(way, world.track().length());
  EXPECT_NEAR(way, driven, 0.1 * driven);
}

TEST(Driving, obeys_throttle_and_steering) {
  Driving world;
  world.reset(1);
  const Numbers start(world.state().begin(), world.state().end());
  Numbers from = start;
  from[4] = 5;
  world.set_state(from);
  world.step(Numbers{0, 1});
  EXPECT_NEAR(world.state()[4], 5.4, 1e-12);
  EXPECT_NEAR(world.state()[3], from[3], 1e-12);
  EXPECT_NEAR(world.state()[1], from[1] + 0.54 * std::cos(from[3]), 1e-12);
  world.set_state(from);
  world.step(Numbers{1, -1});
  EXPECT_NEAR(world.state()[4], 4.2, 1e-12);
  EXPECT_NEAR(std::remainder(world.state()[3] - from[3], 2 * kPi), 0.42 / 5.5, 1e-12) << "full lock: a radius of 5.5 m";
  from[4] = 15;
  world.set_state(from);
  world.step(Numbers{-1, 1});
  EXPECT_NEAR(world.state()[4], 15, 1e-12) << "its fastest";
  EXPECT_NEAR(std::remainder(world.state()[3] - from[3], 2 * kPi), -0.1 * 8 / 15, 1e-12) << "tyres hold 8 m/s²";
  EXPECT_NEAR(world.observation()[9], 1, 1e-12);
  from[4] = 3;
  world.set_state(from);
  world.step(Numbers{0, -1});
  EXPECT_EQ(world.state()[4], 3) << "it cannot stop";
  EXPECT_THROW(world.step(Numbers{0, 1.5}), ValueError);
  EXPECT_THROW(world.step(Numbers{0}), ValueError);
  from[4] = 20;
  EXPECT_THROW(world.set_state(from), ValueError);
  from = start;
  from[0] = 0.5;
  EXPECT_THROW(world.set_state(from), ValueError);
}

TEST(Driving, the_seed_and_what_was_saved_say_all) {
  Driving a, b;
  a.reset(5);
  b.reset(6);
  EXPECT_NE(a.state()[0], b.state()[0]) << "another track";
  for (int i = 0; i < 3; ++i) a.step(Numbers{0.1, 0});
  b.restore(a.save());
  for (int i = 0; i < 3; ++i) {
    const Transition one = a.step(Numbers{0, 0.5}), other = b.step(Numbers{0, 0.5});
    EXPECT_EQ(Numbers(one.observation.begin(), one.observation.end()),
              Numbers(other.observation.begin(), other.observation.end()));
    EXPECT_EQ(one.reward, other.reward);
  }
  EXPECT_EQ(a.reset()[0], b.reset()[0]);
}

}  // namespace
}  // namespace swage::env
