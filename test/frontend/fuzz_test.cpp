// Random programs give the same bits and the same errors eagerly, traced and compiled. A program that does not is shrunk and printed.
//   SWAGE_FUZZ_SECONDS  how long to go on (default: a fixed number of programs)
//   SWAGE_FUZZ_SEED     the first seed (default 1)
#include <chrono>
#include <cstdlib>
#include <iostream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <test/frontend/fuzz_program.hpp>

namespace swage::test {
namespace {

constexpr int kRounds = 12;
constexpr int kPrograms = 400;

struct Outcome {
  std::string difference;
  std::string listing;
  std::uint64_t hits = 0;
};

// Most programs run under the plain options; the others force collisions, short windows, evictions, or a compiler that comes late.
EngineOptions options_for(std::uint64_t seed, Tier tier) {
  EngineOptions options = options_of(tier);
  switch (seed % 8) {
    case 1: options.hash_bits = 4; break;
    case 2:
      options.soft_window_limit = 6;
      options.hard_window_limit = 20;
      break;
    case 3: options.max_traces = 3; break;
    case 4: options.background = seed % 64 == 4; break;
    case 5: options.runs_before_keeping = options.runs_before_compiling = 1; break;
    default: break;
  }
  return options;
}

Outcome try_program(std::uint64_t seed, const std::vector<bool>& enabled) {
  Outcome outcome;
  const int threads = num_threads();
  set_num_threads(seed % 3 == 0 ? 2 : 1);
  FuzzProgram program(seed, enabled, kRounds);
  const auto body = [&](Notes& notes) { program.run(notes); };
  const TierRun eager = run_with(options_for(seed, Tier::eager), body);
  FuzzProgram again(seed, enabled, kRounds);
  const TierRun compiled = run_with(options_for(seed, Tier::compiled), [&](Notes& notes) { again.run(notes); });
  set_num_threads(threads);
  outcome.difference = compiled.notes.difference(eager.notes);
  outcome.listing = program.listing();
  outcome.hits = compiled.stats.hits;
  if (std::getenv("SWAGE_FUZZ_VERBOSE"))
    std::cerr << fmt::format("  windows {} hits {} compiles {} failures {} exits {} compiled {} of {} ops, errors {}\n",
                             compiled.stats.windows, compiled.stats.hits, compiled.stats.compiles,
                             compiled.stats.compile_failures, compiled.stats.side_exits, compiled.stats.compiled_ops,
                             compiled.stats.ops, eager.notes.errors());
  return outcome;
}

// Leaves out whatever the failure does not need.
Outcome shrink(std::uint64_t seed, std::vector<bool> enabled, Outcome failing) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (std::size_t position = 0; position < enabled.size(); ++position) {
      if (!enabled[position]) continue;
      enabled[position] = false;
      Outcome outcome = try_program(seed, enabled);
      if (outcome.difference.empty()) {
        enabled[position] = true;
      } else {
        failing = std::move(outcome);
        smaller = true;
      }
    }
  }
  return failing;
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Fuzz, random_programs) {
  const std::uint64_t first = from_environment("SWAGE_FUZZ_SEED", 1), seconds = from_environment("SWAGE_FUZZ_SECONDS", 0);
  const bool verbose = std::getenv("SWAGE_FUZZ_VERBOSE") != nullptr;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::uint64_t programs = 0, hits = 0;
  int failures = 0;
  for (std::uint64_t seed = first; seconds ? std::chrono::steady_clock::now() < end : programs < kPrograms;
       ++seed, ++programs) {
    if (verbose) std::cerr << "seed " << seed << "\n";
    const std::vector<bool> all(FuzzProgram::length(seed), true);
    Outcome outcome = try_program(seed, all);
    hits += outcome.hits;
    if (outcome.difference.empty()) continue;
    outcome = shrink(seed, all, outcome);
    ADD_FAILURE() << "SWAGE_FUZZ_SEED=" << seed << ": " << outcome.difference << "\n" << outcome.listing;
    if (++failures == 5) break;
  }
  EXPECT_GT(hits, programs) << "plans must run for the comparison to mean anything";
  RecordProperty("programs", static_cast<int>(programs));
  std::cout << fmt::format("{} programs, {} windows run by plans\n", programs, hits);
}

}  // namespace
}  // namespace swage::test
