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

using Figure = std::optional<double>;

nlohmann::ordered_json number(Figure figure) { return figure ? nlohmann::ordered_json(*figure) : nlohmann::ordered_json(); }

void micro(bool json) {
  const bench::MicroFigures figures = bench::measure_micro();
  if (json) {
    const nlohmann::ordered_json out = {
        {"eager_op_ns", figures.eager_op_ns},
        {"deferred_op_ns", figures.deferred_op_ns},
        {"hit_us", {{"10", number(figures.hit_10_us)}, {"100", number(figures.hit_100_us)}}},
        {"compile_ms", {{"10", number(figures.compile_10_ms)}, {"100", number(figures.compile_100_ms)}}}};
    fmt::print("{}\n", out.dump());
    return;
  }
  const auto line = [](const char* what, Figure figure, const char* unit) {
    fmt::print("{:<44} {} {}\n", what, figure ? fmt::format("{:10.2f}", *figure) : "      none", unit);
  };
  line("an eager op on 16 elements", figures.eager_op_ns, "ns");
  line("a deferred op", figures.deferred_op_ns, "ns");
  line("a plan hit, 10 ops on 16 elements", figures.hit_10_us, "us");
  line("a plan hit, 100 ops", figures.hit_100_us, "us");
  line("compiling a trace of 10 ops", figures.compile_10_ms, "ms");
  line("compiling a trace of 100 ops", figures.compile_100_ms, "ms");
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
  auto json = std::make_shared<bool>(false);
  CLI::App* command = bench->add_subcommand("micro", "costs of an op, a plan, a compilation");
  command->add_flag("--json", *json, "as one line of JSON");
  command->callback([json] { micro(*json); });
  auto settings = std::make_shared<bench::SoakSettings>();
  CLI::App* long_run =
      bench->add_subcommand("soak", "transformer and digits in turn, batches of random sizes, for a long time");
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
