#include <test/fuzz/trial.hpp>

#include <algorithm>

#include <runtime/cache/plan_cache.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage::fuzz {
namespace {

using test::Notes;
using test::TierRun;

// Most programs run under the plain options; the others force collisions, short windows, evictions, or a compiler that comes late.
EngineOptions options_for(std::uint64_t seed, Tier tier) {
  EngineOptions options = test::options_of(tier);
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

// What the engine knows of this run's traces.
struct Known {
  std::string refused;  // by a self-test
  std::string plans;    // text of the traces with plans
};
Known known_traces() {
  Known found;
  for (const auto& known : Stream::current().impl().trie.traces()) {
    if (known->has_plan()) found.plans += print(known->trace, &known->wide.plan->escapes());
    if (known->refusal.find("self-test") != std::string::npos) found.refused += known->refusal + "\n" + print(known->trace);
  }
  return found;
}

// The eager run is the oracle; now and then with another number of threads.
struct Threads {
  int eager, compiled;
};
Threads threads_for(std::uint64_t seed) {
  switch (seed / 8 % 6) {
    case 0: return {2, 2};
    case 1: return {1, 2};
    default: return {1, 1};
  }
}

}  // namespace

Outcome try_program(const Recipe& recipe, bool with_traces) {
  Outcome outcome;
  const int threads = num_threads();
  const Threads here = threads_for(recipe.seed);
  Program eagerly(recipe), again(recipe);
  Known known;

  set_num_threads(here.eager);
  const TierRun eager = test::run_with(options_for(recipe.seed, Tier::eager), [&](Notes& notes) { eagerly.run(notes); });
  set_num_threads(here.compiled);
  const std::uint64_t failures = stats().compile_failures;
  const TierRun compiled = test::run_with(options_for(recipe.seed, Tier::compiled), [&](Notes& notes) {
    again.run(notes);
    if (with_traces || stats().compile_failures > failures) known = known_traces();
  });
  // Once more, as a second process would: from what the first left in the plan cache.
  TierRun second;
  EntryFolder* const cache = plan_cache();
  if (cache) {
    Program once_more(recipe);
    forget_code();
    second = test::run_with(options_for(recipe.seed, Tier::compiled), [&](Notes& notes) { once_more.run(notes); });
    cache->clear();
  }
  set_num_threads(threads);

  outcome.difference = compiled.notes.difference(eager.notes);
  if (outcome.difference.empty() && !known.refused.empty()) outcome.difference = known.refused;
  if (cache && outcome.difference.empty())
    if (const std::string found = second.notes.difference(eager.notes); !found.empty())
      outcome.difference = "from the plan cache: " + found;
  outcome.listing = again.listing();
  outcome.traces = known.plans;
  outcome.hits = cache ? second.stats.hits : compiled.stats.hits;
  return outcome;
}

Outcome shrink(Recipe& recipe, Outcome failing) {
  const auto still_fails = [&](const Recipe& smaller) {
    Outcome outcome = try_program(smaller);
    if (outcome.difference.empty()) return false;
    recipe = smaller;
    failing = std::move(outcome);
    return true;
  };
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (std::size_t half = recipe.enabled.size() / 2; half > 0; half /= 2)
      for (std::size_t first = 0; first < recipe.enabled.size(); first += half) {
        Recipe without = recipe;
        for (std::size_t k = first; k < std::min(first + half, without.enabled.size()); ++k) without.enabled[k] = false;
        if (without.enabled != recipe.enabled) smaller |= still_fails(without);
      }
    for (Recipe shorter = recipe; --shorter.rounds > 1 && still_fails(shorter); shorter = recipe) smaller = true;
  }
  return try_program(recipe, true);
}

}  // namespace swage::fuzz
