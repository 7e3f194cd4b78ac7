#include <bench/workloads/prequential.hpp>

#include <gtest/gtest.h>

namespace swage::bench {
namespace {

std::map<std::string, double> figures_of(const Prequential& errors) {
  std::map<std::string, double> figures;
  errors.add_figures("it", figures);
  return figures;
}

// One in `every` is wrong, none for 0.
void add(Prequential& errors, std::int64_t samples, std::int64_t every) {
  for (std::int64_t i = 0; i < samples; ++i) errors.add(every > 0 && i % every == 0);
}

TEST(Prequential, ComparesQuartersAroundDrifts) {
  Prequential errors(40'000, 0);
  add(errors, 40'000, 10);
  EXPECT_TRUE(figures_of(errors).empty()) << "there was no drift yet";
  add(errors, 10'000, 2);  // it drifts
  add(errors, 30'000, 8);
  add(errors, 20'000, 10);  // not whole: does not count
  const auto figures = figures_of(errors);
  EXPECT_DOUBLE_EQ(figures.at("it_error_before"), 0.1);
  EXPECT_DOUBLE_EQ(figures.at("it_error_after"), 0.5);
  EXPECT_DOUBLE_EQ(figures.at("it_error_later"), 0.125);
  EXPECT_DOUBLE_EQ(figures.at("it_worst_ratio"), 1.25);
  EXPECT_DOUBLE_EQ(figures.at("it_back_after"), 40'000) << "never";
}

TEST(Prequential, IsBackWhenTheLatestErrorsAreAsFewAsBefore) {
  Prequential errors(40'000, 0);
  add(errors, 40'000, 10);
  add(errors, 10'000, 2);
  add(errors, 30'000, 10);
  // Of the latest 4,000, n of the time after: n/10 + (4,000 − n)/2 ≤ 440, so n ≥ 3,900.
  EXPECT_NEAR(figures_of(errors).at("it_back_after"), 13'900, 20);
}

TEST(Prequential, AStretchBegunInItsMiddleIsNotWhole) {
  Prequential errors(40'000, 1);
  add(errors, 79'999, 10);
  EXPECT_TRUE(figures_of(errors).empty());
  add(errors, 40'000, 10);
  EXPECT_EQ(figures_of(errors).size(), 5U);
}

}  // namespace
}  // namespace swage::bench
