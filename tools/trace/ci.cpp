// `swage trace ci`: whether a run does worse than a baseline that was written down.
#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cli/paint.hpp>
#include <tools/cli/usage.hpp>
#include <tools/cli/whole_file.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

constexpr int kBaselineVersion = 1;

std::string structure_of(const runlog::TraceEntry& entry) { return fmt::format("{:016x}", entry.trace.hash); }

Json summary_of(const runlog::Run& run) {
  const runlog::Run::Stream sums = run.all_streams();
  Json plans = Json::object();
  for (const runlog::TraceEntry& entry : run.traces) {
    const runlog::PlanEntry* const plan = plan_of(entry);
    if (!plan) continue;
    plans[structure_of(entry)] = {{"trace", name_of_trace(entry.trace.id)},
                                  {"ops", entry.trace.n_ops()},
                                  {"groups", plan->groups},
                                  {"library_calls", plan->library_calls},
                                  {"arena_bytes", plan->arena_bytes},
                                  {"plan_us", entry.figures.plan_best_ns * 1e-3}};
  }
  return {{"swage_baseline", kBaselineVersion}, {"misses", sums.misses},      {"side_exits", sums.side_exits},
          {"compiles", run.compiles},           {"assembled", run.assembled}, {"plans", plans}};
}

nlohmann::json read_baseline(const std::string& path) {
  std::ifstream file(path);
  if (!file) usage_error("there is no baseline {}; --update writes one", path);
  try {
    auto baseline = nlohmann::json::parse(file);
    if (baseline.at("swage_baseline") != kBaselineVersion)
      usage_error("{} is a baseline of version {}, this command reads version {}", path, baseline["swage_baseline"].dump(),
                  kBaselineVersion);
    return baseline;
  } catch (const nlohmann::json::exception&) {
    usage_error("{} is no baseline: `swage trace ci --baseline {} --update` writes one", path, path);
  }
}

// What is worse, in words. `slower`: by what factor a plan may be slower; machines are noisy.
std::vector<std::string> regressions(const nlohmann::json& before, const nlohmann::json& now, double slower) {
  constexpr double kFloorUs = 5;  // below, clocks measure themselves
  std::vector<std::string> found;
  const auto more = [&](const nlohmann::json& was, const nlohmann::json& is, const std::string& what) {
    if (is.get<std::uint64_t>() > was.get<std::uint64_t>())
      found.push_back(fmt::format("{}: {} instead of {}", what, is.get<std::uint64_t>(), was.get<std::uint64_t>()));
  };
  more(before.at("misses"), now.at("misses"), "misses");
  more(before.at("side_exits"), now.at("side_exits"), "deoptimisations");
  // From a warm cache plans are put together of known code: what counts is how many were made.
  const auto made = [](const nlohmann::json& run) {
    return run.at("compiles").get<std::uint64_t>() + run.at("assembled").get<std::uint64_t>();
  };
  more(made(before), made(now), "plans made");
  for (const auto& [structure, plan] : now.at("plans").items()) {
    const auto was = before.at("plans").find(structure);
    if (was == before.at("plans").end()) continue;
    const std::string name =
        fmt::format("{} ({} ops)", plan.at("trace").get<std::string>(), plan.at("ops").get<std::uint64_t>());
    more(was->at("groups"), plan.at("groups"), "loops of " + name);
    more(was->at("library_calls"), plan.at("library_calls"), "library calls of " + name);
    more(was->at("arena_bytes"), plan.at("arena_bytes"), "arena of " + name + ", bytes");
    const double before_us = was->at("plan_us").get<double>(), us = plan.at("plan_us").get<double>();
    if (before_us > 0 && us > slower * before_us && us > before_us + kFloorUs)
      found.push_back(fmt::format("a run of {}: {:.1f} us instead of {:.1f}", name, us, before_us));
  }
  return found;
}

}  // namespace

void add_ci(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("ci", "exits 1 where a run does worse than a baseline");
  auto arguments = take_run(*command);
  auto baseline = std::make_shared<std::string>();
  auto slower = std::make_shared<double>(1.5);
  auto update = std::make_shared<bool>(false);
  command->add_option("--baseline", *baseline, "the file to compare with")->required();
  command->add_option("--slower", *slower, "how much slower a plan may be (default 1.5)")->check(CLI::Range(1.0, 1000.0));
  command->add_flag("--update", *update, "write the file instead");
  command->callback([=] {
    const runlog::Run run = open_run(arguments->run);
    const Json now = summary_of(run);
    if (*update) {
      write_whole(*baseline, now.dump(2) + "\n");
      fmt::print("{} now holds what run {} did\n", *baseline, run.pid);
      return;
    }
    std::vector<std::string> found;
    try {
      found = regressions(read_baseline(*baseline), now, *slower);
    } catch (const nlohmann::json::exception&) {
      usage_error("{} is no baseline: `swage trace ci --baseline {} --update` writes one", *baseline, *baseline);
    }
    if (arguments->json)
      print_json({{"regressions", found}, {"now", now}});
    else if (found.empty())
      fmt::print("nothing is worse than in {}\n", *baseline);
    else
      for (const std::string& what : found) fmt::print("{}", painted(wrapped("worse: " + what, 4), {{"worse:", Ink::bad}}));
    if (!found.empty()) throw CLI::RuntimeError(1);
  });
}

}  // namespace swage::tool
