// Random programs: views, writes in place, aliases, broadcasts, reductions, library calls; compiled and interpreted.
// SWAGE_FUZZ_TRACES sets how many are tried, SWAGE_FUZZ_SEED the first seed.
#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <runtime/core/error.hpp>
#include <test/jit/harness.hpp>
#include <test/jit/random_trace.hpp>

namespace swage::test {
namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

TEST(RandomTraces, GiveTheSameBitsCompiled) {
  const std::uint64_t first = setting("SWAGE_FUZZ_SEED", 1), traces = setting("SWAGE_FUZZ_TRACES", 150);
  std::size_t groups = 0, fused = 0, calls = 0;
  for (std::uint64_t seed = first; seed < first + traces; ++seed) {
    EscapeMask escapes;
    const Trace trace = random_trace(seed, escapes);
    Outcome outcome;
    try {
      outcome = compare(trace, escapes, seed);
    } catch (const CompileError& error) {
      FAIL() << "seed " << seed << ": " << error.what() << "\n" << print(trace, &escapes);
    }
    ASSERT_EQ(outcome.difference, "") << "seed " << seed << "\n" << print(trace, &escapes);
    groups += outcome.compiled.groups;
    fused += outcome.compiled.fused_ops;
    calls += outcome.compiled.library_calls;
  }
  fmt::print("{} traces: {} groups of {:.1f} ops, {} library calls\n", traces, groups,
             static_cast<double>(fused) / static_cast<double>(groups), calls);
  if (traces > 20) {
    EXPECT_GT(groups, 0u);
  }
}

}  // namespace
}  // namespace swage::test
