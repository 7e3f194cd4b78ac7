#include <test/frontend/tiers.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace swage::test {

void Notes::operator()(const Tensor& tensor) {
  if (!tensor.defined()) return (*this)(std::string("undefined"));
  Entry entry{fmt::format("{}[{}]", name_of(tensor.dtype()), to_string(tensor.sizes())), {}};
  const auto take = [&]<class T>(T) {
    for (const auto element : tensor.to_vector<T>()) {
      if constexpr (std::is_same_v<T, float>)
        entry.bits.push_back(std::isnan(element) ? ~0ull : std::bit_cast<std::uint32_t>(element));
      else if constexpr (std::is_same_v<T, double>)
        entry.bits.push_back(std::isnan(element) ? ~0ull : std::bit_cast<std::uint64_t>(element));
      else
        entry.bits.push_back(static_cast<std::uint64_t>(element));
    }
  };
  visit(tensor.dtype(), take);
  entries_.push_back(std::move(entry));
}

void Notes::error(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return (*this)(std::string("error: ") + error.what());
  }
  (*this)(std::string("no error"));
}

std::size_t Notes::errors() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [](const Entry& entry) { return entry.text.starts_with("error: "); }));
}

std::string Notes::difference(const Notes& other) const {
  for (std::size_t i = 0; i < std::min(size(), other.size()); ++i) {
    const Entry &mine = entries_[i], &theirs = other.entries_[i];
    if (mine == theirs) continue;
    if (mine.text != theirs.text || mine.bits.size() != theirs.bits.size())
      return fmt::format("note {}: '{}' and '{}'", i, mine.text, theirs.text);
    for (std::size_t k = 0; k < mine.bits.size(); ++k)
      if (mine.bits[k] != theirs.bits[k])
        return fmt::format("note {}, {}: element {} is {:#x} and {:#x}", i, mine.text, k, mine.bits[k], theirs.bits[k]);
  }
  if (size() != other.size()) return fmt::format("{} notes and {}", size(), other.size());
  return {};
}

EngineOptions options_of(Tier tier) {
  EngineOptions options;
  options.tier = tier;
  options.background = false;
  options.weigh_cost = false;
  options.runs_before_compiling = 2;
  return options;
}

TierRun run_with(const EngineOptions& wanted, const Body& body) {
  const EngineStats before = stats();
  const EngineOptions options = engine_options();
  set_engine_options(wanted);
  forget_traces();
  manual_seed(7);
  TierRun run;
  body(run.notes);
  set_engine_options(options);
  forget_traces();
  const EngineStats after = stats();
  run.stats.ops = after.ops - before.ops;
  run.stats.compiled_ops = after.compiled_ops - before.compiled_ops;
  run.stats.windows = after.windows - before.windows;
  run.stats.hits = after.hits - before.hits;
  run.stats.misses = after.misses - before.misses;
  run.stats.side_exits = after.side_exits - before.side_exits;
  run.stats.traces = after.traces - before.traces;
  run.stats.compiles = after.compiles - before.compiles;
  run.stats.assembled = after.assembled - before.assembled;
  run.stats.compile_failures = after.compile_failures - before.compile_failures;
  return run;
}

TierRun expect_same(const Body& body, std::uint64_t hits) {
  const TierRun eager = run_in(Tier::eager, body), traced = run_in(Tier::traced, body);
  TierRun compiled = run_in(Tier::compiled, body);
  EXPECT_EQ(traced.notes.difference(eager.notes), "") << "traced and eager";
  EXPECT_EQ(compiled.notes.difference(eager.notes), "") << "compiled and eager";
  EXPECT_EQ(eager.stats.hits + traced.stats.hits, 0u);
  EXPECT_GE(compiled.stats.hits, hits);
  EXPECT_EQ(compiled.stats.compile_failures, 0u);
  return compiled;
}

}  // namespace swage::test
