// `swage trace`: what the log of a run says about its traces, and what can be worked out from them.
#include <fmt/format.h>

#include <tools/cli/commands.hpp>
#include <tools/trace/commands.hpp>

namespace swage::tool {

std::shared_ptr<TraceArguments> take_run(CLI::App& command) {
  auto arguments = std::make_shared<TraceArguments>();
  command.add_option("run", arguments->run, "a log file or the process id of a run (default: the latest)");
  command.add_flag("--json", arguments->json, "as one line of JSON");
  return arguments;
}

std::shared_ptr<TraceArguments> take_id_and_run(CLI::App& command) {
  auto arguments = std::make_shared<TraceArguments>();
  command.add_option("id", arguments->id, "a trace such as t17, or a plan such as p4")->required();
  command.add_option("run", arguments->run, "a log file or the process id of a run (default: the latest)");
  command.add_flag("--json", arguments->json, "as one line of JSON");
  return arguments;
}

void add_trace(CLI::App& app) {
  CLI::App* const trace = app.add_subcommand("trace", "what was traced, compiled and missed in a run, and why");
  add_top(*trace);
  add_show(*trace);
  add_why(*trace);
  add_diff(*trace);
  add_ir(*trace);
  add_fusion(*trace);
  add_lost(*trace);
  add_break_even(*trace);
  add_memory(*trace);
  add_graph(*trace);
  add_timeline(*trace);
  add_replay(*trace);
  add_check(*trace);
  trace->require_subcommand(0, 1);
  trace->callback([trace] {
    if (trace->get_subcommands().empty()) fmt::print("{}", trace->help());
  });
}

}  // namespace swage::tool
