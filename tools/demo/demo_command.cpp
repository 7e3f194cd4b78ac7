// `swage demo`: trains a network on handwritten digits before the user's eyes, deploys it, and holds eager against compiled.
#include <cstdio>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <bench/harness/runner.hpp>
#include <runtime/engine/event_log.hpp>
#include <tools/cli/commands.hpp>
#include <tools/cli/usage.hpp>
#include <tools/demo/deploy.hpp>
#include <tools/demo/training_view.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>

namespace swage::tool {
namespace {

void heading(const char* text) {
  fmt::print("\n== {}\n", text);
  std::fflush(stdout);
}

// A file that goes when this goes.
struct ScratchFile {
  explicit ScratchFile(const char* name)
      : path(std::filesystem::temp_directory_path() / fmt::format("swage-{}-{}", getpid(), name)) {}
  ~ScratchFile() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  std::filesystem::path path;
};

bench::RunSettings digits(bench::RunTier tier, std::int64_t steps) {
  bench::RunSettings settings;
  settings.workload = "digits";
  settings.tier = tier;
  settings.steps = steps;
  return settings;
}

void train_and_deploy() {
  heading("training: three convolutions with batch norm on 8x8 digits; hot traces are compiled meanwhile");
  const ScratchFile file("digits.safetensors");
  data::Digits held_out;
  TrainingView view;
  const bench::Report report = bench::run_workload(digits(bench::RunTier::cold, 600), [&](const bench::StepInfo& info) {
    view.show(info);
    if (info.step != info.steps) return;
    auto& workload = dynamic_cast<bench::Digits&>(info.workload);
    workload.model().save(file.path.string());
    held_out = workload.held_out();
  });
  fmt::print("held-out accuracy {:.2f} %\n", 100 * report.figures.at("accuracy"));

  heading("deployment: a fresh network loads the saved one and reads images that it has not seen");
  deploy(file.path, held_out);
}

// Whether the digests agree.
bool compare_tiers() {
  heading("the same 200 steps, eager and compiled");
  const bench::Report eager = bench::run_workload(digits(bench::RunTier::eager, 200));
  const bench::Report warm = bench::run_workload(digits(bench::RunTier::warm, 200));
  fmt::print("{:<10} {:>12} {:>12} {:>12} {:>10}  {}\n", "tier", "us a step", "99 % within", "images/s", "compiled", "digest");
  for (const bench::Report& report : {eager, warm})
    fmt::print("{:<10} {:>12.1f} {:>12.1f} {:>12.1f} {:>8.1f} %  {}\n", report.tier, report.step_us_p50, report.step_us_p99,
               report.units_per_s, 100 * report.compiled_op_share, report.digest);
  fmt::print("compiled is {:.2f} times as fast; {}\n", eager.step_us_p50 / warm.step_us_p50,
             eager.digest == warm.digest ? "every bit is the same" : "THE DIGESTS DIFFER");
  return eager.digest == warm.digest;
}

void show_hottest() {
  heading("the hottest traces of that run");
  if (event_log().path().empty())
    fmt::print("the event log is off\n");
  else
    fmt::print("{}", traces_as_table(open_run(event_log().path().string()), 5));
}

void demo() {
  train_and_deploy();
  const bool equal = compare_tiers();
  show_hottest();
  fmt::print("\nnext: swage run --list, swage trace top, swage doctor\n");
  if (!equal) throw std::runtime_error("eager and compiled runs differ");
}

}  // namespace

void add_demo(CLI::App& app) {
  app.add_subcommand("demo", "train on handwritten digits, deploy, compare eager and compiled")->callback(demo);
}

}  // namespace swage::tool
