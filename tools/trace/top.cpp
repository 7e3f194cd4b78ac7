// `swage trace top`: which traces cost most.
#include <algorithm>
#include <chrono>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cli/paint.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

// The time that windows of the trace have taken: known for those that ran as a plan that was timed, and for those timed op by op.
double spent_us(const runlog::TraceEntry& trace) {
  const runlog::TraceFigures& f = trace.figures;
  const double plan_ns = f.plan_best_ns > 0 ? f.plan_best_ns : f.eager_ns;
  return (static_cast<double>(f.hits) * plan_ns + static_cast<double>(f.runs - std::min(f.runs, f.hits)) * f.eager_ns) * 1e-3;
}

double speed_up(const runlog::TraceFigures& f) { return f.plan_best_ns > 0 ? f.eager_best_ns / f.plan_best_ns : 0; }

// Windows that left every known path and came nearest to the trace, as far back as the log goes.
std::uint64_t misses_near(const runlog::Run& run, const runlog::TraceEntry& trace) {
  return static_cast<std::uint64_t>(std::ranges::count_if(run.events, [&](const runlog::EventEntry& event) {
    return event.trace == trace.trace.id && code_of(event) == EventCode::missed;
  }));
}

std::vector<const runlog::TraceEntry*> by_cost(const runlog::Run& run) {
  std::vector<const runlog::TraceEntry*> traces;
  traces.reserve(run.traces.size());
  for (const runlog::TraceEntry& trace : run.traces) traces.push_back(&trace);
  std::ranges::stable_sort(traces, std::ranges::greater(), [](const runlog::TraceEntry* trace) { return spent_us(*trace); });
  return traces;
}

}  // namespace

Json answer_top(const runlog::Run& run) {
  Json traces = Json::array();
  for (const runlog::TraceEntry* const trace : by_cost(run)) {
    const runlog::TraceFigures& f = trace->figures;
    const runlog::PlanEntry* const plan = plan_of(*trace);
    traces.push_back({{"id", name_of_trace(trace->trace.id)},
                      {"runs", f.runs},
                      {"hits", f.hits},
                      {"misses", misses_near(run, *trace)},
                      {"side_exits", f.side_exits},
                      {"ops", trace->trace.n_ops()},
                      {"records", trace->trace.size()},
                      {"spent_us", spent_us(*trace)},
                      {"eager_us", f.eager_ns * 1e-3},
                      {"plan_us", f.plan_best_ns * 1e-3},
                      {"speed_up", speed_up(f)},
                      {"plan", plan && (f.state & runlog::TraceFigures::kPlan) != 0},
                      {"compile_ms", plan ? plan->ms : 0.0},
                      {"groups", plan ? plan->groups : 0},
                      {"fused_ops", plan ? plan->fused_ops : 0},
                      {"library_calls", plan ? plan->library_calls : 0},
                      {"arena_bytes", plan ? plan->arena_bytes : 0},
                      {"state", state_of(*trace)},
                      {"refusal", trace->refusal}});
  }
  const runlog::Run::Stream sums = run.all_streams();
  return {{"pid", run.pid},           {"command", run.command},
          {"state", state_of(run)},   {"seconds", static_cast<double>(run.last_ns) * 1e-9},
          {"ops", sums.ops},          {"compiled_ops", sums.compiled_ops},
          {"windows", sums.windows},  {"hits", sums.hits},
          {"misses", sums.misses},    {"side_exits", sums.side_exits},
          {"compiles", run.compiles}, {"compile_ms", static_cast<double>(run.compile_ns) * 1e-6},
          {"traces", traces}};
}

std::string traces_as_table(const runlog::Run& run, std::size_t count) {
  std::string text = painted(cut_to_width(fmt::format("run {} ({}, {:.1f} s): {}", run.pid, state_of(run),
                                                      static_cast<double>(run.last_ns) * 1e-9, run.command))) +
                     "\n";
  if (run.traces.empty()) return text + "no traces were kept\n";
  text += inked(Ink::heading, fmt::format("{:>6} {:>9} {:>9} {:>6} {:>5} {:>5} {:>9} {:>9} {:>6} {:>8}  {}\n", "trace", "runs",
                                          "hits", "misses", "exits", "ops", "op by op", "compiled", "gain", "memory", "state"));
  for (const runlog::TraceEntry* const trace : by_cost(run)) {
    if (count-- == 0) break;
    const runlog::TraceFigures& f = trace->figures;
    const runlog::PlanEntry* const plan = plan_of(*trace);
    const auto us = [](double ns) { return ns > 0 ? fmt::format("{:.1f}us", ns * 1e-3) : std::string("-"); };
    text += painted(cut_to_width(fmt::format("{:>6} {:>9} {:>9} {:>6} {:>5} {:>5} {:>9} {:>9} {:>6} {:>8}  {}",
                                             name_of_trace(trace->trace.id), f.runs, f.hits, misses_near(run, *trace),
                                             f.side_exits, trace->trace.n_ops(), us(f.eager_ns), us(f.plan_best_ns),
                                             speed_up(f) > 0 ? fmt::format("{:.2f}x", speed_up(f)) : "-",
                                             plan ? fmt::format("{}K", plan->arena_bytes / 1024) : "-", state_of(*trace)))) +
            "\n";
  }
  return text;
}

void add_top(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("top", "which traces cost most: runs, times, gain, memory");
  auto arguments = take_run(*command);
  auto count = std::make_shared<std::size_t>(20);
  auto follow = std::make_shared<bool>(false);
  command->add_option("-n,--count", *count, "how many (default 20)");
  command->add_flag("--follow", *follow, "again every second, until the run ends");
  command->callback([=] {
    for (;;) {
      const runlog::Run run = open_run(arguments->run);
      if (*follow && isatty(STDOUT_FILENO)) fmt::print("\033[H\033[2J");
      fmt::print("{}", arguments->json ? in_one_line(answer_top(run)) + "\n" : traces_as_table(run, *count));
      std::fflush(stdout);
      if (!*follow || !is_alive(run)) return;
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  });
}

}  // namespace swage::tool
