// `swage trace show`: one trace.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cli/paint.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

constexpr std::size_t kShown = 20;  // events

std::vector<const runlog::EventEntry*> events_of(const runlog::Run& run, const runlog::TraceEntry& trace) {
  std::vector<const runlog::EventEntry*> events;
  for (const runlog::EventEntry& event : run.events)
    if (event.trace == trace.trace.id && code_of(event) != EventCode::hit) events.push_back(&event);
  return events;
}

std::string as_text(const runlog::Run& run, const runlog::TraceEntry& entry, SourceLines& lines) {
  const runlog::TraceFigures& f = entry.figures;
  const runlog::PlanEntry* const plan = plan_of(entry);
  std::string text = fmt::format("{}: {} ops in {} records, {} runs, {} hits, {} side exits\n", name_of_trace(entry.trace.id),
                                 entry.trace.n_ops(), entry.trace.size(), f.runs, f.hits, f.side_exits);
  if (f.eager_ns > 0) text += fmt::format("op by op its kernels take {:.1f} us", f.eager_ns * 1e-3);
  if (f.plan_best_ns > 0) text += fmt::format("{}compiled {:.1f} us", f.eager_ns > 0 ? ", " : "", f.plan_best_ns * 1e-3);
  if (f.eager_ns > 0 || f.plan_best_ns > 0) text += "\n";
  text += wrapped(state_of(entry) +
                  (plan ? fmt::format("; made in {:.1f} ms; arena of {} bytes", plan->ms, plan->arena_bytes) : ""));
  const auto callers = callers_of(entry, lines);
  if (!callers.empty()) text += "issued by\n";
  for (const auto& [place, ops] : callers) text += cut_to_width(fmt::format("  {:>5} ops  {}", ops, place)) + "\n";
  if (plan && !plan->notes.empty()) text += "\n" + plan->notes + (plan->notes.ends_with('\n') ? "" : "\n");
  const EscapeMask escapes = escapes_of(entry);
  const std::string records = print(entry.trace, &escapes);
  text += "\n" + records + (records.ends_with('\n') ? "" : "\n");

  for (const runlog::EscapeFigures& escape : entry.escapes)
    text += wrapped(
        fmt::format(
            "%{} outlived {} windows that were looked at: read {} times, dropped unread {} times by a handle, {} by the tape; "
            "at most {} were held at a time",
            escape.storage, escape.watched, escape.read, escape.dropped, escape.dropped_by_tape, escape.most),
        4);

  const auto events = events_of(run, entry);
  if (events.empty()) return text;
  text += events.size() > kShown ? fmt::format("\nthe last {} of {} events\n", kShown, events.size()) : "\nevents\n";
  for (std::size_t i = events.size() - std::min(events.size(), kShown); i < events.size(); ++i) {
    const Explanation words = explain(run, *events[i], lines);
    text += wrapped(fmt::format("{:>6} {:>11.3f} ms  {}: {}{}{}", fmt::format("m{}", events[i]->sequence),
                                static_cast<double>(events[i]->ns) * 1e-6, name_of(*events[i]), words.what,
                                words.why.empty() ? "" : ": ", words.why),
                    22);
  }
  return text;
}

}  // namespace

Json answer_show(const runlog::Run& run, const runlog::TraceEntry& entry, SourceLines& lines) {
  Json records = Json::array();
  for (RecordIndex i = 0; i < entry.trace.size(); ++i) {
    const KeyHalf& key = entry.trace.keys[i];
    Json operands = Json::array();
    for (int k = 0; k < key.n_operands && key.op != Op::input; ++k)
      if (key.operands[k].is_tensor()) operands.push_back(entry.trace.operand(i, k));
    records.push_back({{"record", i},
                       {"op", name_of(key.op)},
                       {"operands", operands},
                       {"text", print_record(entry.trace, i)},
                       {"site", entry.trace.sites[i].known() ? lines.of(entry.trace.sites[i]) : ""}});
  }
  Json callers = Json::array();
  for (const auto& [place, ops] : callers_of(entry, lines)) callers.push_back({{"site", place}, {"ops", ops}});
  Json escapes = Json::array();
  const EscapeMask mask = escapes_of(entry);
  for (RecordIndex i = 0; i < entry.trace.size(); ++i)
    if (mask.test(i)) escapes.push_back(i);
  Json outlived = Json::array();
  for (const runlog::EscapeFigures& escape : entry.escapes)
    outlived.push_back({{"record", escape.storage},
                        {"watched", escape.watched},
                        {"read", escape.read},
                        {"dropped", escape.dropped},
                        {"dropped_by_tape", escape.dropped_by_tape},
                        {"most_held", escape.most}});
  Json events = Json::array();
  for (const runlog::EventEntry* const event : events_of(run, entry)) {
    const Explanation words = explain(run, *event, lines);
    events.push_back({{"id", fmt::format("m{}", event->sequence)},
                      {"event", name_of(*event)},
                      {"ms", static_cast<double>(event->ns) * 1e-6},
                      {"what", words.what},
                      {"why", words.why},
                      {"site", words.place}});
  }
  const runlog::PlanEntry* const plan = plan_of(entry);
  return {{"id", name_of_trace(entry.trace.id)},
          {"ops", entry.trace.n_ops()},
          {"runs", entry.figures.runs},
          {"hits", entry.figures.hits},
          {"side_exits", entry.figures.side_exits},
          {"eager_us", entry.figures.eager_ns * 1e-3},
          {"plan_us", entry.figures.plan_best_ns * 1e-3},
          {"state", state_of(entry)},
          {"arena_bytes", plan ? plan->arena_bytes : 0},
          {"escapes", escapes},
          {"outlived", outlived},
          {"callers", callers},
          {"records", records},
          {"text", print(entry.trace, &mask)},
          {"notes", plan ? plan->notes : ""},
          {"events", events}};
}

void add_show(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("show", "one trace: its ops, who calls it, its plan, what happened to it");
  auto arguments = take_id_and_run(*command);
  command->callback([arguments] {
    const runlog::Run run = open_run(arguments->run);
    const runlog::TraceEntry& entry = trace_named(run, arguments->id);
    SourceLines lines(run);
    if (arguments->json)
      print_json(answer_show(run, entry, lines));
    else
      fmt::print("{}", painted(as_text(run, entry, lines), {{"issued by\n", Ink::heading}, {"events\n", Ink::heading}}));
  });
}

}  // namespace swage::tool
