// `swage bench micro`: the engine's own costs.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <bench/micro/micro.hpp>
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

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* bench = app.add_subcommand("bench", "measure the engine itself");
  auto json = std::make_shared<bool>(false);
  CLI::App* command = bench->add_subcommand("micro", "costs of an op, a plan, a compilation");
  command->add_flag("--json", *json, "as one line of JSON");
  command->callback([json] { micro(*json); });
  bench->callback([bench] {
    if (bench->get_subcommands().empty()) fmt::print("{}", bench->help());
  });
}

}  // namespace swage::tool
