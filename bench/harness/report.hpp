// The figures of one run, and how they are written.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace swage::bench {

struct Report {
  std::string workload, device = "cpu", tier;
  int threads = 1;
  std::uint64_t seed = 1;
  std::int64_t steps = 0;
  std::string unit;
  double units_per_s = 0;
  double step_us_p50 = 0, step_us_p99 = 0, step_us_max = 0;
  double first_step_ms = 0;
  std::optional<std::int64_t> first_compiled_step;  // counted from 1, warm-up included
  double ops_per_step = 0;
  double compiled_op_share = 0;  // of the ops executed after step 50, or after half of a shorter run
  std::uint64_t traces = 0, hits = 0, misses = 0, side_exits = 0, compiles = 0;
  double compile_ms_p50 = 0, compile_ms_max = 0, compile_ms_total = 0;
  std::optional<std::int64_t> break_even_step;  // when the time saved had paid for compiling (break_even.hpp)
  std::uint64_t peak_bytes = 0;
  // By the thread that takes the steps, in steps alone, once they have settled (as compiled_op_share). See thread_use.hpp.
  std::optional<double> allocs_per_step;
  double minor_faults_per_step = 0;
  std::optional<double> loss_first, loss_last;
  std::vector<double> first_losses;  // of the first steps, kFirstLosses at most
  double first_output = 0;           // root mean square of what the first step left, to hold against other systems
  std::string digest;
  std::map<std::string, double> figures;  // of this workload alone, such as accuracy

  void set_step_times(std::vector<double> microseconds, std::int64_t units);  // of all steps together
};

inline constexpr std::size_t kFirstLosses = 5;

nlohmann::ordered_json to_json(const Report& report);
std::string to_text(const Report& report);  // for a person; lines of at most 100 columns

// The value below or at which `fraction` of the sorted values lie.
double percentile(const std::vector<double>& sorted, double fraction);

}  // namespace swage::bench
