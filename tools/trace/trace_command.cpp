// `swage trace`: what the log of a run says about its traces, and what can be worked out from them.
#include <fmt/format.h>

#include <tools/cli/commands.hpp>
#include <tools/trace/commands.hpp>

namespace swage::tool {
namespace {

// RUN, always last, is a log file or a process id, or is missing for the latest run.
constexpr const char* kExamples = R"(Examples (a run is named last, by its log or process id; without, it is the latest)
  swage trace advice                           what to change, the largest gain first
  swage trace top --follow 4711                what costs most, live
  swage trace show t17                         one trace, its callers, its plan
  swage trace why                              every miss, exit and refusal, with the line
  swage trace why m5 run.swagelog              one of them, of a run that is over
  swage trace diff t3 t4                       what tells two traces apart
  swage trace ir t17 --stage=asm               its machine code
  swage trace map model.cpp:42                 the ops and loops of a line
  swage trace fusion t17                       what was fused, and why not more
  swage trace lost                             what ran op by op, by what that cost
  swage trace break-even                       whether compiling has paid
  swage trace memory t17                       the arena of its plan
  swage trace graph t17 --svg > t17.svg        the trace as a picture
  swage trace timeline --out run.json          for ui.perfetto.dev
  swage trace replay t17 --times 1000          both tiers, timed again
  swage trace check                            eager against compiled, bit for bit
  swage trace report --html run.html           all of it in one page, with plots and search
  swage trace ci --baseline plans.json         exits 1 where it has become worse)";

}  // namespace

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
  add_advice(*trace);
  add_top(*trace);
  add_show(*trace);
  add_why(*trace);
  add_diff(*trace);
  add_ir(*trace);
  add_map(*trace);
  add_fusion(*trace);
  add_lost(*trace);
  add_break_even(*trace);
  add_memory(*trace);
  add_graph(*trace);
  add_timeline(*trace);
  add_replay(*trace);
  add_check(*trace);
  add_report(*trace);
  add_ci(*trace);
  trace->footer(kExamples);
  trace->require_subcommand(0, 1);
  trace->callback([trace] {
    if (trace->get_subcommands().empty()) fmt::print("{}", trace->help());
  });
}

}  // namespace swage::tool
