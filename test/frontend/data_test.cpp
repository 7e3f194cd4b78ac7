#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include <swage/swage.hpp>

namespace swage {
namespace {

TEST(Data, batches_cover_each_epoch_and_go_on) {
  data::Batches batches(10, 3, 5);
  std::vector<std::vector<std::int64_t>> given;
  data::BatchPosition middle;
  for (int i = 0; i < 9; ++i) {
    if (i == 4) middle = batches.position();
    given.push_back(batches.next());
  }
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::set<std::int64_t> seen;
    for (int i = 0; i < 3; ++i) seen.insert(given[epoch * 3 + i].begin(), given[epoch * 3 + i].end());
    EXPECT_EQ(seen.size(), 9u);
  }
  EXPECT_NE(given[0], given[3]);
  data::Batches other(10, 3, 99);
  other.set_position(middle);
  for (std::size_t i = 4; i < 9; ++i) EXPECT_EQ(other.next(), given[i]);
  EXPECT_THROW(data::Batches(3, 4, 0), ValueError);
}

TEST(Data, split_and_rows) {
  const data::Split parts = data::split(10, 0.2, 3);
  EXPECT_EQ(parts.held_out.size(), 2u);
  std::set<std::int64_t> all(parts.train.begin(), parts.train.end());
  all.insert(parts.held_out.begin(), parts.held_out.end());
  EXPECT_EQ(all.size(), 10u);
  EXPECT_EQ(data::split(10, 0.2, 3).train, parts.train);
  const Tensor rows = data::take_rows(arange(6).reshape({3, 2}), {2, 0, 2});
  EXPECT_EQ(rows.to_vector<std::int64_t>(), (std::vector<std::int64_t>{4, 5, 0, 1, 4, 5}));
  EXPECT_THROW(data::take_rows(rows, {3}), IndexError);
}

TEST(Data, shifts_fill_with_zeros) {
  const Tensor image = arange(1, 10).to(DType::f32).reshape({1, 1, 3, 3});
  data::HostRandom random(1);
  std::set<std::vector<float>> seen;
  for (int i = 0; i < 200; ++i) {
    const auto moved = data::shifted(image, 1, random).to_vector<float>();
    seen.insert(moved);
    const auto five = std::find(moved.begin(), moved.end(), 5.0f);
    ASSERT_NE(five, moved.end());
  }
  EXPECT_EQ(seen.size(), 9u);
  EXPECT_TRUE(seen.contains({0, 1, 2, 0, 4, 5, 0, 7, 8}));
  EXPECT_TRUE(seen.contains({5, 6, 0, 8, 9, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace swage
