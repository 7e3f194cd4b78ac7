// `swage bench micro`: the engine's own costs.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <bench/micro/micro.hpp>
#include <bench/soak/soak.hpp>
#include <tools/cli/commands.hpp>

namespace swage::tool {
namespace {

// A line for every number in the JSON, its place in it as the name.
void print_lines(const nlohmann::ordered_json& json, const std::string& prefix) {
  for (const auto& [key, value] : json.items()) {
    const std::string name = prefix.empty() ? key : fmt::format("{} {}", prefix, key);
    if (value.is_object())
      print_lines(value, name);
    else
      fmt::print("{:<26} {}\n", name, value.is_null() ? "none" : fmt::format("{:>12}", value.dump()));
  }
}

void micro(bool json, bool quick) {
  const nlohmann::ordered_json figures = bench::to_json(bench::measure_micro({.quick = quick}));
  if (json)
    fmt::print("{}\n", figures.dump());
  else
    print_lines(figures, "");
}

void soak(const bench::SoakSettings& settings) {
  const bench::SoakFigures figures = bench::run_soak(settings, [](const bench::SoakSample& sample) {
    fmt::print(stderr, "{:6.0f} s: {} steps, {:.1f} MiB resident, {} misses, {} sizes\n", sample.seconds, sample.steps,
               sample.resident_mib, sample.misses, sample.sizes);
  });
  const nlohmann::ordered_json out = {{"seconds", figures.last.seconds},
                                      {"steps", figures.last.steps},
                                      {"sizes", figures.last.sizes},
                                      {"traces", figures.traces},
                                      {"compiles", figures.compiles},
                                      {"misses", figures.last.misses},
                                      {"misses_after_warm_up", figures.misses_after_warm_up},
                                      {"resident_mib_after_warm_up", figures.warm.resident_mib},
                                      {"resident_mib_at_most_later", figures.most_resident_mib},
                                      {"resident_mib_at_end", figures.last.resident_mib}};
  fmt::print("{}\n", out.dump());
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* bench = app.add_subcommand("bench", "measure the engine itself");
  auto json = std::make_shared<bool>(false), quick = std::make_shared<bool>(false);
  CLI::App* command = bench->add_subcommand("micro", "costs of an op, a plan, a compilation");
  command->add_flag("--json", *json, "as one line of JSON");
  command->add_flag("--quick", *quick, "fewer repetitions: seconds, not a minute");
  command->callback([json, quick] { micro(*json, *quick); });
  auto settings = std::make_shared<bench::SoakSettings>();
  CLI::App* long_run = bench->add_subcommand("soak", "transformer and digits in turn, for a long time");
  long_run->add_option("--seconds", settings->seconds, "how long (default 1200)")->check(CLI::Range(1.0, 86400.0));
  long_run->add_option("--warm-up", settings->warm_up_seconds, "what is compared begins then (default 120)")
      ->check(CLI::Range(0.0, 86400.0));
  long_run->add_option("--seed", settings->seed, "of everything that is drawn (default 1)");
  long_run->add_option("--size", settings->size, "of the transformer: full (default) or small")
      ->check(CLI::IsMember({"full", "small"}));
  long_run->callback([settings] { soak(*settings); });
  bench->callback([bench] {
    if (bench->get_subcommands().empty()) fmt::print("{}", bench->help());
  });
}

}  // namespace swage::tool
