// Differential fuzzing: random programs must give the same bits and the same errors eagerly and compiled. A program that does not is
// shrunk and printed. The last line is one JSON object: programs (those in which a plan ran), plans_run (windows run by plans),
// differences, seed.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <runtime/cache/plan_cache.hpp>
#include <runtime/core/planted_fault.hpp>
#include <test/fuzz/trial.hpp>
#include <test/runtime/temporary_folder.hpp>

namespace swage::fuzz {
namespace {

constexpr unsigned kSecondsPerProgram = 300;
constexpr std::uint64_t kMostDifferences = 5;

// The program at hand, for a crash or a program that does not end.
volatile std::uint64_t seed_at_hand = 0;
void say_seed(int signal) {
  char text[64] = "\nfuzz: stopped in program ";
  char* end = std::to_chars(text + std::strlen(text), text + sizeof text - 1, static_cast<std::uint64_t>(seed_at_hand)).ptr;
  *end++ = '\n';
  static_cast<void>(!write(STDERR_FILENO, text, static_cast<std::size_t>(end - text)));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

struct Totals {
  std::uint64_t programs = 0, plans_run = 0, differences = 0, seed = 0;
};

void print(const Totals& totals) {
  std::cout << fmt::format(R"({{"programs": {}, "plans_run": {}, "differences": {}, "seed": {}}})", totals.programs,
                           totals.plans_run, totals.differences, totals.seed)
            << std::endl;
}

Outcome report(Recipe recipe, Outcome outcome) {
  std::cout << fmt::format("{}\n  {}\n", print(recipe), outcome.difference) << std::flush;
  outcome = shrink(recipe, std::move(outcome));
  std::cout << fmt::format("shrunk to\n{}\n{}{}\ntraces with plans:\n{}\n", print(recipe), outcome.listing, outcome.difference,
                           outcome.traces)
            << std::flush;
  return outcome;
}

// True if the program gives a difference.
bool run_program(const Recipe& recipe, Totals& totals) {
  seed_at_hand = recipe.seed;
  alarm(kSecondsPerProgram);
  Outcome outcome = try_program(recipe);
  alarm(0);
  totals.programs += outcome.hits > 0;
  totals.plans_run += outcome.hits;
  if (outcome.difference.empty()) return false;
  ++totals.differences;
  report(recipe, std::move(outcome));
  return true;
}

int replay(const Recipe& recipe) {
  Totals totals{.seed = recipe.seed};
  const bool differs = run_program(recipe, totals);
  if (!differs) std::cout << fuzz::print(recipe) << "\nno difference\n";
  print(totals);
  return differs;
}

// Fuzzing must find the fault, and what it finds must be due to the fault.
int find_planted(PlantedFault fault, double seconds, std::uint64_t seed) {
  planted_fault = fault;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  Totals totals{.seed = seed};
  for (std::uint64_t program = seed; elapsed() < seconds; ++program) {
    const Recipe recipe = whole_recipe(program);
    if (!run_program(recipe, totals)) continue;
    std::cout << fmt::format("found after {} programs, {:.1f} s\n", program - seed + 1, elapsed());
    planted_fault = PlantedFault::none;
    forget_code();  // it has the fault
    const Outcome sound = try_program(recipe);
    if (!sound.difference.empty()) std::cout << "and without the planted fault: " << sound.difference << "\n";
    print(totals);
    return !sound.difference.empty();
  }
  std::cout << "not found\n";
  print(totals);
  return 1;
}

int fuzz_for(double seconds, std::uint64_t seed) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  Totals totals{.seed = seed};
  for (std::uint64_t program = seed; std::chrono::steady_clock::now() < end && totals.differences < kMostDifferences; ++program)
    run_program(whole_recipe(program), totals);
  print(totals);
  return totals.differences > 0;
}

int run(int argc, char** argv) {
  CLI::App app("Random programs, eagerly and compiled: the same bits.");
  double seconds = 10;
  auto seed =
      static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) / 1000 % 1'000'000'000'000;
  std::string file, plant;
  bool from_cache = false;
  app.add_option("--seconds", seconds, "How long to go on")->capture_default_str();
  app.add_option("--seed", seed, "The first program; the others follow it. Drawn from the clock unless given");
  auto* const program = app.add_option("--program", seed, "Run this one program and no other");
  app.add_option("--replay", file, "Run what a report in this file describes")->check(CLI::ExistingFile)->excludes(program);
  const std::vector<std::string> faults(kPlantedFaultNames.begin() + 1, kPlantedFaultNames.end());
  app.add_option("--plant", plant, "Plant this fault in the compiler, and succeed where it is found")
      ->check(CLI::IsMember(faults));
  app.add_flag("--from-cache", from_cache, "Compare also what a second process runs, from the plan cache of the first");
  CLI11_PARSE(app, argc, argv);
  std::optional<test::TemporaryFolder> folder;
  if (from_cache) {
    CacheSettings settings;
    settings.folder = folder.emplace().path() / "cache";
    use_plan_cache(settings);
  }
  for (const int each : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM}) std::signal(each, say_seed);
  if (!plant.empty())
    return find_planted(static_cast<PlantedFault>(std::ranges::find(kPlantedFaultNames, plant) - kPlantedFaultNames.begin()),
                        seconds, seed);
  if (!file.empty()) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return replay(parse_recipe(text.str()));
  }
  return *program ? replay(whole_recipe(seed)) : fuzz_for(seconds, seed);
}

}  // namespace
}  // namespace swage::fuzz

int main(int argc, char** argv) {
  try {
    return swage::fuzz::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "fuzz: " << error.what() << "\n";
    return 2;
  }
}
