// `swage trace top | show | ir`: what a run's event log says about its traces.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <tools/cli/commands.hpp>
#include <tools/cli/suggest.hpp>
#include <tools/cli/usage.hpp>
#include <tools/trace/lowering.hpp>
#include <tools/trace/run_log.hpp>
#include <tools/trace/tables.hpp>

namespace swage::tool {
namespace {

struct TraceArguments {
  std::string id, run, stage;
  bool json = false;
  std::size_t count = 20;
};

void add_run_argument(CLI::App* command, TraceArguments& arguments) {
  command->add_option("run", arguments.run, "a log file or the process id of a run (default: the latest run)");
}

}  // namespace

void add_trace(CLI::App& app) {
  CLI::App* trace = app.add_subcommand("trace", "what was traced, compiled and missed in a run");
  auto arguments = std::make_shared<TraceArguments>();

  CLI::App* top = trace->add_subcommand("top", "the traces of a run, hottest first");
  add_run_argument(top, *arguments);
  top->add_flag("--json", arguments->json, "as JSON, all of them");
  top->add_option("-n,--count", arguments->count, "how many (default 20)");
  top->callback([arguments] {
    const RunLog log = read_run(find_run(arguments->run));
    fmt::print("{}", arguments->json ? traces_as_json(log) : traces_as_table(log, arguments->count));
  });

  CLI::App* show = trace->add_subcommand("show", "one trace: its records, its plan, what happened to it");
  show->add_option("id", arguments->id, "such as t17")->required();
  add_run_argument(show, *arguments);
  show->callback([arguments] {
    const RunLog log = read_run(find_run(arguments->run));
    fmt::print("{}", trace_as_text(log, log.trace(arguments->id)));
  });

  CLI::App* ir = trace->add_subcommand("ir", "what a trace is lowered to");
  ir->add_option("id", arguments->id, "such as t17")->required();
  add_run_argument(ir, *arguments);
  ir->add_option("--stage", arguments->stage, "record, mlir (default), llvm, asm, cuda or ptx");
  ir->callback([arguments] {
    const RunLog log = read_run(find_run(arguments->run));
    fmt::print("{}", lowered(log.trace(arguments->id), arguments->stage.empty() ? "mlir" : arguments->stage));
  });

  trace->require_subcommand(0, 1);
  trace->callback([trace] {
    if (trace->get_subcommands().empty()) fmt::print("{}", trace->help());
  });
}

}  // namespace swage::tool
