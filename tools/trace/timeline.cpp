// `swage trace timeline`: a run as ui.perfetto.dev and Chrome show it. (The Trace Event Format of Chrome, JSON array in an object.)
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cli/whole_file.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

constexpr int kCompiling = 1000;  // thread of compilations; streams have their numbers

}  // namespace

Json timeline_events(const runlog::Run& run, SourceLines& lines) {
  Json events = Json::array();
  const auto name_thread = [&](int thread, const std::string& name) {
    events.push_back({{"ph", "M"}, {"name", "thread_name"}, {"pid", run.pid}, {"tid", thread}, {"args", {{"name", name}}}});
  };
  events.push_back({{"ph", "M"}, {"name", "process_name"}, {"pid", run.pid}, {"tid", 0}, {"args", {{"name", run.command}}}});
  for (const auto& stream : run.streams) name_thread(static_cast<int>(stream.number), fmt::format("stream {}", stream.number));
  name_thread(kCompiling, "compile thread");
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) * 1e-3; };
  for (const runlog::EventEntry& event : run.events) {
    const EventCode code = code_of(event);
    const std::string trace = name_of_trace(event.trace);
    if (code == EventCode::hit) {
      const std::uint64_t until = std::max(event.until_ns, event.ns);
      events.push_back({{"ph", "X"},
                        {"name", fmt::format("{} compiled x{}", trace, event.value)},
                        {"cat", "hit"},
                        {"pid", run.pid},
                        {"tid", event.stream},
                        {"ts", us(event.ns)},
                        {"dur", us(until - event.ns)},
                        {"args", {{"trace", trace}, {"windows", event.value}}}});
      continue;
    }
    const Explanation words = explain(run, event, lines);
    const Json args = {
        {"id", fmt::format("m{}", event.sequence)}, {"what", words.what}, {"why", words.why}, {"site", words.place}};
    if (code == EventCode::compiled || code == EventCode::assembled || code == EventCode::failed) {
      const double length = event.value;  // us
      events.push_back({{"ph", "X"},
                        {"name", fmt::format("{} {}", name_of(event), trace)},
                        {"cat", "compile"},
                        {"pid", run.pid},
                        {"tid", kCompiling},
                        {"ts", std::max(0.0, us(event.ns) - length)},
                        {"dur", length},
                        {"args", args}});
    } else {
      events.push_back({{"ph", "i"},
                        {"name", fmt::format("{} {}", name_of(event), trace)},
                        {"cat", is_trouble(event) ? "trouble" : "decision"},
                        {"pid", run.pid},
                        {"tid", event.stream},
                        {"ts", us(event.ns)},
                        {"s", "t"},
                        {"args", args}});
    }
  }
  return events;
}

void add_timeline(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("timeline", "the run for ui.perfetto.dev or chrome://tracing");
  auto arguments = std::make_shared<TraceArguments>();
  auto out = std::make_shared<std::string>();
  command->add_option("run", arguments->run, "a log file or the process id of a run (default: the latest)");
  command->add_option("--out", *out, "the file to write")->required();
  command->callback([=] {
    const runlog::Run run = open_run(arguments->run);
    SourceLines lines(run);
    const Json events = timeline_events(run, lines);
    write_whole(*out, in_one_line({{"displayTimeUnit", "ms"}, {"traceEvents", events}}) + "\n");
    fmt::print("{} events written to {}: open it in ui.perfetto.dev\n", events.size(), *out);
  });
}

}  // namespace swage::tool
