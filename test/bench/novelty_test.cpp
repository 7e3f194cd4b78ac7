#include <bench/workloads/novelty.hpp>

#include <set>

#include <gtest/gtest.h>

namespace swage::bench {
namespace {

// Class k has 8 to the power of k + 2 structures: numbers, of which half are for the run that is measured.
Novelty<std::uint64_t> numbers(double percent, bool rehearsal = false) {
  const auto draw = [](data::HostRandom& random, std::size_t size) {
    std::uint64_t most = 64;
    for (std::size_t k = 0; k < size; ++k) most *= 8;
    return most + static_cast<std::uint64_t>(random.below(static_cast<std::int64_t>(most)));
  };
  return {percent, 3, rehearsal, draw, [](const std::uint64_t& number) { return number; }};
}

TEST(NoveltyTest, NothingTwiceAndNothingOfTheOtherRun) {
  auto measured = numbers(100), rehearsed = numbers(100, true);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(seen.insert(measured.next()).second);
    EXPECT_TRUE(seen.insert(rehearsed.next()).second);
  }
}

// A class of 32 structures is used up after some 200 draws; larger ones then take its turns.
TEST(NoveltyTest, ASmallClassMayBeUsedUp) {
  auto measured = numbers(100);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 2000; ++i) EXPECT_TRUE(seen.insert(measured.next()).second);
}

TEST(NoveltyTest, WithoutNoveltyAFewComeAgainAndAgain) {
  auto measured = numbers(0);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 2000; ++i) seen.insert(measured.next());
  EXPECT_LE(seen.size(), 36u);
}

}  // namespace
}  // namespace swage::bench
