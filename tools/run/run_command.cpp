// `swage run`: one workload in one tier, and its report.
#include <chrono>
#include <cstdio>
#include <limits>
#include <memory>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <bench/harness/runner.hpp>
#include <tools/cli/commands.hpp>
#include <tools/cli/suggest.hpp>
#include <tools/cli/usage.hpp>

namespace swage::tool {
namespace {

struct RunArguments {
  bench::RunSettings settings;
  std::string tier = "warm";
  std::string data;
  bool list = false, json = false;
};

std::vector<std::string> workload_names() {
  std::vector<std::string> names;
  for (const auto& info : bench::workloads()) names.emplace_back(info.name);
  return names;
}

void list_workloads() {
  for (const auto& info : bench::workloads()) fmt::print("{:<13} {} ({} steps)\n", info.name, info.summary, info.default_steps);
}

// A line on stderr every two seconds.
class Progress {
 public:
  void operator()(const bench::StepInfo& info) {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    if (next_ != Clock::time_point{}) {
      if (info.warming_up)
        fmt::print(stderr, "warming up: step {}, {} plans\n", info.step, info.stats.compiles + info.stats.assembled);
      else
        fmt::print(stderr, "step {}{}{}\n", info.step, info.steps > 0 ? fmt::format(" of {}", info.steps) : "",
                   info.outputs.loss.defined() ? fmt::format(", loss {:.4f}", info.outputs.loss.item()) : "");
    }
    next_ = now + std::chrono::seconds(2);
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point next_{};
};

void run(RunArguments& arguments) {
  if (arguments.list) return list_workloads();
  bench::RunSettings& settings = arguments.settings;
  if (settings.workload.empty()) usage_error("which workload? `swage run --list` names them");
  if (!bench::find_workload(settings.workload))
    usage_error("there is no workload '{}'{}", settings.workload, suggestion(settings.workload, workload_names()));
  const auto tier = bench::run_tier_by_name(arguments.tier);
  if (!tier)
    usage_error("there is no tier '{}'{}", arguments.tier,
                suggestion(arguments.tier, {bench::kRunTierNames.begin(), bench::kRunTierNames.end()}));
  settings.tier = *tier;
  const std::vector<std::string> optimizers = {"sgd", "adam"};
  if (settings.options.optimizer != "sgd" && settings.options.optimizer != "adam")
    usage_error("there is no optimizer '{}'{}", settings.options.optimizer, suggestion(settings.options.optimizer, optimizers));
  const std::vector<std::string> sizes = {"full", "small"};
  if (settings.options.size != "full" && settings.options.size != "small")
    usage_error("there is no size '{}'{}", settings.options.size, suggestion(settings.options.size, sizes));
  const std::vector<std::string> sources = {"generator", "socket"};
  if (settings.options.source != "generator" && settings.options.source != "socket")
    usage_error("there is no source '{}'{}", settings.options.source, suggestion(settings.options.source, sources));
  if (!arguments.data.empty()) settings.options.data = arguments.data;
  const bench::Report report = bench::run_workload(settings, Progress());
  if (arguments.json)
    fmt::print("{}\n", bench::to_json(report).dump());
  else
    fmt::print("{}", bench::to_text(report));
  std::fflush(stdout);
}

}  // namespace

void add_run(CLI::App& app) {
  auto arguments = std::make_shared<RunArguments>();
  bench::RunSettings& settings = arguments->settings;
  const CLI::Range non_negative(std::int64_t{0}, std::numeric_limits<std::int64_t>::max());
  CLI::App* command = app.add_subcommand("run", "run a workload and report its figures");
  command->add_option("workload", settings.workload, "its name; --list shows them");
  command->add_flag("--list", arguments->list, "name the workloads");
  command->add_option("--tier", arguments->tier, "eager, traced, cold or warm (default)");
  command->add_option("--steps", settings.steps, "how many; each workload has a default")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}));
  command->add_option("--seconds", settings.seconds, "go on until the steps' times sum to this")
      ->check(CLI::Range(0.0, 86400.0));
  command->add_option("--seed", settings.options.seed, "of everything that is drawn (default 1)")->check(non_negative);
  command->add_option("--threads", settings.threads, "threads in one op (default 1)")->check(CLI::Range(1, 64));
  command->add_option("--data", arguments->data, "folder of data files; lstm_lm: of ptb.train.txt");
  command->add_option("--optimizer", settings.options.optimizer, "mlp: sgd (default) or adam");
  command->add_option("--image", settings.options.image, "convnet: 32x32x3 (default) or 8x8x1");
  command->add_option("--log2", settings.options.log2, "kernels: 2^LOG2 elements (default 16)");
  command->add_option("--size", settings.options.size, "lstm_lm, transformer: full (default) or small");
  command->add_flag("--random-batches", settings.options.random_batches, "digits, transformer: batches of random sizes");
  command->add_option("--bulk", settings.options.bulk, "sentences or samples a step, of workloads that go one by one")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{4096}));
  command->add_option("--batch", settings.options.batch, "rnnlm: sentences a step (default 64)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{4096}));
  command->add_option("--novelty", settings.options.novelty, "treelstm, reroute, mlp: percent of new structures")
      ->check(CLI::Range(0.0, 100.0));
  command->add_option("--source", settings.options.source, "online: generator (default) or socket, a loopback connection");
  command->add_option("--drift", settings.options.drift, "online: samples between two drifts (default 100,000)")
      ->check(CLI::Range(std::int64_t{100}, std::int64_t{1'000'000'000}));
  command->add_flag("--no-batch", settings.no_batch, "run batch scopes op by op, as they are called");
  command->add_option("--save", settings.save, "write the state of the run to FILE at its end");
  command->add_option("--load", settings.load, "go on from such a file");
  command->add_flag("--json", arguments->json, "the report as one line of JSON, the last on stdout");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace swage::tool
