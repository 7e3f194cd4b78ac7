#include <tools/trace/run.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>

#include <fmt/format.h>

#include <runtime/core/error.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/log/places.hpp>
#include <tools/cli/usage.hpp>

namespace swage::tool {
namespace {

std::uint64_t number_in(const std::string& name, std::string_view letters, const char* like) {
  const std::string_view digits =
      !name.empty() && letters.find(name.front()) != std::string_view::npos ? std::string_view(name).substr(1) : name;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size())
    usage_error("'{}' is no name here; they look like {}", name, like);
  return number;
}

}  // namespace

std::filesystem::path find_run(const std::string& run) {
  if (run.empty()) {
    const auto logs = runlog::list();
    if (logs.empty()) usage_error("no run has left a log in {}; `swage run digits` makes one", runlog::folder().string());
    return logs.front();
  }
  std::error_code ignored;
  if (std::filesystem::is_regular_file(run, ignored)) return run;
  const std::filesystem::path by_pid = runlog::file_of(run);
  if (std::filesystem::is_regular_file(by_pid, ignored)) return by_pid;
  usage_error("there is no run '{}': neither a file of that name nor {}", run, by_pid.string());
}

runlog::Run open_run(const std::string& run) {
  runlog::Run read = runlog::read(find_run(run));
  for (const std::string& damage : read.damage) fmt::print(stderr, "swage: {}: {}\n", read.path.string(), damage);
  return read;
}

bool is_id(const std::string& name) {
  return name.size() > 1 && std::string_view("tpm").find(name.front()) != std::string_view::npos &&
         std::all_of(name.begin() + 1, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool names_event(const std::string& name) { return name.starts_with('m'); }

const runlog::TraceEntry& trace_named(const runlog::Run& run, const std::string& name) {
  const std::uint64_t number = number_in(name, "tp", "t17");
  if (name.starts_with('p')) {
    for (const runlog::TraceEntry& trace : run.traces)
      if (std::ranges::find(trace.plans, number, &runlog::PlanEntry::id) != trace.plans.end()) return trace;
    usage_error("there is no plan p{} in {}", number, run.path.string());
  }
  if (number <= UINT32_MAX)
    if (const runlog::TraceEntry* const found = run.find(static_cast<std::uint32_t>(number))) return *found;
  const auto hottest = std::ranges::max_element(run.traces, {}, [](const auto& trace) { return trace.figures.runs; });
  const std::string hint =
      hottest == run.traces.end() ? "it has none" : "it has run " + name_of_trace(hottest->trace.id) + " most often";
  usage_error("there is no trace t{} in {}; {}", number, run.path.string(), hint);
}

const runlog::EventEntry& event_named(const runlog::Run& run, const std::string& name) {
  const std::uint64_t number = number_in(name, "m", "m5");
  for (const runlog::EventEntry& event : run.events)
    if (event.sequence == number && event.code != static_cast<std::uint32_t>(EventCode::hit)) return event;
  usage_error("there is no event m{} in {}: {} were logged, of which the latest are kept", number, run.path.string(),
              run.decisions);
}

bool is_alive(const runlog::Run& run) {
  return !run.ended && run.pid != 0 && (kill(static_cast<pid_t>(run.pid), 0) == 0 || errno == EPERM);
}

std::string state_of(const runlog::Run& run) { return run.ended ? "ended" : is_alive(run) ? "running" : "killed"; }

}  // namespace swage::tool
