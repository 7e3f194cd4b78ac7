#include <tools/trace/run_log.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>

#include <runtime/engine/log_file.hpp>
#include <tools/cli/usage.hpp>

namespace swage::tool {
namespace {

LoggedTrace read_trace(const nlohmann::json& line) {
  LoggedTrace trace;
  line.at("trace").get_to(trace.id);
  line.at("text").get_to(trace.text);
  trace.records = line.value("records", std::uint64_t{0});
  trace.ops = line.value("ops", std::uint64_t{0});
  trace.runs = line.value("runs", std::uint64_t{0});
  trace.hits = line.value("hits", std::uint64_t{0});
  trace.side_exits = line.value("side_exits", std::uint64_t{0});
  trace.eager_us = line.value("eager_us", 0.0);
  trace.compile_ms = line.value("compile_ms", 0.0);
  trace.plan = line.value("plan", false);
  trace.groups = line.value("groups", std::uint64_t{0});
  trace.fused_ops = line.value("fused_ops", std::uint64_t{0});
  trace.library_calls = line.value("library_calls", std::uint64_t{0});
  trace.refusal = line.value("refusal", "");
  trace.notes = line.value("notes", "");
  return trace;
}

LoggedEvent read_event(const nlohmann::json& line) {
  LoggedEvent event;
  line.at("event").get_to(event.name);
  event.why = line.value("why", "");
  event.ns = line.value("ns", std::uint64_t{0});
  event.trace = line.value("trace", 0U);
  event.position = line.value("position", 0U);
  event.value = line.value("value", 0U);
  return event;
}

void read_line(RunLog& log, const nlohmann::json& line) {
  if (line.contains("event"))
    log.events.push_back(read_event(line));
  else if (line.contains("trace"))
    log.traces.push_back(read_trace(line));
  else if (line.contains("counters"))
    log.counters = line["counters"];
}

void read_header(RunLog& log, const nlohmann::json& line) {
  if (const int version = line.at("swage_log").get<int>(); version != kLogVersion)
    usage_error("{} is a log of version {}, this command reads version {}", log.path.string(), version, kLogVersion);
  log.pid = line.value("pid", std::int64_t{0});
  log.command = line.value("command", "");
  log.seconds = line.value("seconds", 0.0);
}

}  // namespace

std::filesystem::path find_run(const std::string& run) {
  const std::filesystem::path folder = log_folder();
  if (run.empty()) {
    const auto logs = list_logs();
    if (logs.empty()) usage_error("no run has left a log in {}; `swage run digits` makes one", folder.string());
    return logs.front();
  }
  std::error_code ignored;
  if (std::filesystem::is_regular_file(run, ignored)) return run;
  const std::filesystem::path by_pid = folder / ("run-" + run + ".jsonl");
  if (std::filesystem::is_regular_file(by_pid, ignored)) return by_pid;
  usage_error("there is no run '{}': neither a file of that name nor {}", run, by_pid.string());
}

RunLog read_run(const std::filesystem::path& path) {
  RunLog log;
  log.path = path;
  std::ifstream file(path);
  if (!file) usage_error("{} cannot be read", path.string());
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    try {
      const auto line = nlohmann::json::parse(text);
      number == 1 ? read_header(log, line) : read_line(log, line);
    } catch (const nlohmann::json::exception&) {
      usage_error("{} is not a run's log: line {} is malformed", path.string(), number);
    }
  }
  if (log.pid == 0) usage_error("{} is not a run's log: it is empty", path.string());
  std::stable_sort(log.traces.begin(), log.traces.end(),
                   [](const LoggedTrace& a, const LoggedTrace& b) { return a.heat() > b.heat(); });
  return log;
}

const LoggedTrace& RunLog::trace(std::string_view id) const {
  const std::string_view digits = id.starts_with('t') ? id.substr(1) : id;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size())
    usage_error("'{}' is no trace's name; they look like t17", id);
  for (const LoggedTrace& trace : traces)
    if (trace.id == number) return trace;
  const std::string hottest = traces.empty() ? "it has none" : "its hottest is " + traces.front().name();
  usage_error("there is no trace t{} in {}; {}", number, path.string(), hottest);
}

}  // namespace swage::tool
