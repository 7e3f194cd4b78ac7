#include <tools/trace/tables.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace swage::tool {
namespace {

constexpr std::size_t kColumns = 100;

std::string cut_to(std::string text, std::size_t columns) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.size() > columns) text = text.substr(0, columns - 3) + "...";
  return text;
}

std::string state_of(const LoggedTrace& trace) {
  if (!trace.refusal.empty()) return "not compiled: " + trace.refusal;
  if (!trace.plan) return "runs eagerly";
  return fmt::format("{} fused in {} loops, {} library calls", trace.fused_ops, trace.groups, trace.library_calls);
}

}  // namespace

std::string traces_as_table(const RunLog& log, std::size_t count) {
  std::string text = cut_to(fmt::format("run {} ({:.1f} s): {}", log.pid, log.seconds, log.command), kColumns) + "\n";
  if (log.traces.empty()) return text + "no traces were kept\n";
  text += fmt::format("{:>6} {:>8} {:>8} {:>6} {:>5} {:>10} {:>8}  {}\n", "trace", "runs", "hits", "exits", "ops", "eager us",
                      "comp. ms", "plan");
  for (const LoggedTrace& trace : log.traces) {
    if (count-- == 0) break;
    text += cut_to(fmt::format("{:>6} {:>8} {:>8} {:>6} {:>5} {:>10.1f} {:>8.1f}  {}", trace.name(), trace.runs, trace.hits,
                               trace.side_exits, trace.ops, trace.eager_us, trace.compile_ms, state_of(trace)),
                   kColumns) +
            "\n";
  }
  return text;
}

std::string traces_as_json(const RunLog& log) {
  auto traces = nlohmann::ordered_json::array();
  for (const LoggedTrace& trace : log.traces)
    traces.push_back({{"id", trace.name()},
                      {"runs", trace.runs},
                      {"hits", trace.hits},
                      {"side_exits", trace.side_exits},
                      {"ops", trace.ops},
                      {"records", trace.records},
                      {"eager_us", trace.eager_us},
                      {"plan", trace.plan},
                      {"compile_ms", trace.compile_ms},
                      {"groups", trace.groups},
                      {"fused_ops", trace.fused_ops},
                      {"library_calls", trace.library_calls},
                      {"refusal", trace.refusal}});
  return nlohmann::ordered_json({{"traces", traces}}).dump() + "\n";
}

std::string trace_as_text(const RunLog& log, const LoggedTrace& trace) {
  std::string text = fmt::format("{}: {} ops in {} records, {} runs, {} hits, {} side exits\n", trace.name(), trace.ops,
                                 trace.records, trace.runs, trace.hits, trace.side_exits);
  text += fmt::format("kernels take {:.1f} us when run eagerly\n", trace.eager_us);
  text += state_of(trace);
  if (trace.plan) text += fmt::format("; compiled in {:.1f} ms", trace.compile_ms);
  text += "\n";
  if (!trace.notes.empty()) text += trace.notes + (trace.notes.ends_with('\n') ? "" : "\n");
  text += "\n" + trace.text + (trace.text.ends_with('\n') ? "" : "\n");

  // Hits are many and alike.
  std::vector<const LoggedEvent*> events;
  for (const LoggedEvent& event : log.events)
    if (event.trace == trace.id && event.name != "hit") events.push_back(&event);
  if (events.empty()) return text;
  constexpr std::size_t kShown = 20;
  text += events.size() > kShown ? fmt::format("\nthe last {} of {} events\n", kShown, events.size()) : "\nevents\n";
  for (std::size_t i = events.size() - std::min(events.size(), kShown); i < events.size(); ++i) {
    const LoggedEvent& event = *events[i];
    text += cut_to(fmt::format("{:>12.3f} ms  {:<12} record {}{}{}", static_cast<double>(event.ns) * 1e-6, event.name,
                               event.position, event.why.empty() ? "" : ": ", event.why),
                   kColumns) +
            "\n";
  }
  return text;
}

}  // namespace swage::tool
