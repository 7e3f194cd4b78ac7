#include <bench/harness/report.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace swage::bench {
namespace {

using testing::ElementsAre;

std::vector<std::string> keys_of(const nlohmann::ordered_json& json) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  return keys;
}

TEST(Report, HasTheKeysThatReadersExpectInTheirOrder) {
  Report report;
  report.figures["accuracy"] = 0.5;
  const auto json = to_json(report);
  EXPECT_THAT(keys_of(json), ElementsAre("workload", "device", "tier", "threads", "seed", "steps", "unit", "units_per_s",
                                         "step_us", "first_step_ms", "first_compiled_step", "ops_per_step", "compiled_op_share",
                                         "traces", "hits", "misses", "side_exits", "compiles", "compile_ms", "break_even_step",
                                         "peak_bytes", "allocs_per_step", "minor_faults_per_step", "loss_first", "loss_last",
                                         "first_losses", "first_output", "digest", "accuracy"));
  EXPECT_THAT(keys_of(json["step_us"]), ElementsAre("p50", "p99", "max"));
  EXPECT_THAT(keys_of(json["compile_ms"]), ElementsAre("p50", "max", "total"));
  EXPECT_TRUE(json["first_compiled_step"].is_null());
  EXPECT_TRUE(json["loss_first"].is_null());
  EXPECT_TRUE(json["break_even_step"].is_null());
  EXPECT_TRUE(json["allocs_per_step"].is_null());
}

TEST(Report, WhatIsThereIsNotNull) {
  Report report;
  report.first_compiled_step = 7;
  report.loss_last = 0.25;
  EXPECT_EQ(to_json(report)["first_compiled_step"], 7);
  EXPECT_EQ(to_json(report)["loss_last"], 0.25);
}

TEST(Report, StepTimesBecomePercentilesAndARate) {
  Report report;
  std::vector<double> times;
  for (int i = 100; i >= 1; --i) times.push_back(i);
  report.set_step_times(times, 1000);
  EXPECT_DOUBLE_EQ(report.step_us_p50, 50);
  EXPECT_DOUBLE_EQ(report.step_us_p99, 99);
  EXPECT_DOUBLE_EQ(report.step_us_max, 100);
  EXPECT_DOUBLE_EQ(report.first_step_ms, 0.1);
  EXPECT_DOUBLE_EQ(report.units_per_s, 1000 / 5050e-6);
}

TEST(Report, PercentilesOfFewValues) {
  EXPECT_DOUBLE_EQ(percentile({}, 0.5), 0);
  EXPECT_DOUBLE_EQ(percentile({3}, 0.99), 3);
  EXPECT_DOUBLE_EQ(percentile({1, 2}, 0.5), 1);
}

TEST(Report, TextFitsAHundredColumns) {
  Report report;
  report.workload = "pointwise";
  report.tier = "traced";
  report.seed = ~std::uint64_t{0};
  report.steps = 1'000'000'000;
  report.step_us_p50 = report.step_us_p99 = report.step_us_max = 1234567.8;
  report.compile_ms_p50 = report.compile_ms_max = report.compile_ms_total = 123456.7;
  std::istringstream lines(to_text(report));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
}

}  // namespace
}  // namespace swage::bench
