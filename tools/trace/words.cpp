#include <tools/trace/words.hpp>

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include <runtime/core/error.hpp>
#include <runtime/trace/difference.hpp>
#include <tools/cli/usage.hpp>
#include <tools/trace/run.hpp>

namespace swage::tool {
namespace {

std::string described(const runlog::TraceEntry& trace) {
  return fmt::format("{} ({} ops)", name_of_trace(trace.trace.id), trace.trace.n_ops());
}

// Where a window and the nearest known trace part.
std::string parting(const runlog::TraceEntry* near, const runlog::EventEntry& event) {
  if (!near) return event.trace == 0 ? "no trace was known" : "the nearest trace is no longer in the log";
  if (event.key.op == Op::none) return "";
  if (event.position >= near->trace.size()) return "it went on where the trace ends";
  return describe_difference(near->trace.keys[event.position], event.key);
}

}  // namespace

std::string name_of(const runlog::EventEntry& event) {
  return event.code < kEventNames.size() ? std::string(kEventNames[event.code]) : "unknown";
}

bool is_trouble(const runlog::EventEntry& event) {
  switch (code_of(event)) {
    case EventCode::missed:
    case EventCode::side_exit:
    case EventCode::check_failed:
    case EventCode::escapes_grew:
    case EventCode::failed:
    case EventCode::refused:
    case EventCode::shelved:
    case EventCode::storm:
    case EventCode::forked:
    case EventCode::evicted: return true;
    default: return false;
  }
}

Explanation explain(const runlog::Run& run, const runlog::EventEntry& event, SourceLines& lines) {
  const runlog::TraceEntry* const trace = run.find(event.trace);
  const std::string name = trace ? described(*trace) : name_of_trace(event.trace);
  const auto place = [&] {
    if (event.site != 0) return lines.of(event.site);
    return trace ? place_of(*trace, event.position, lines) : std::string();
  };
  switch (code_of(event)) {
    case EventCode::kept: return {name + " was kept: its window has recurred", "", trace ? place_of(*trace, 0, lines) : ""};
    case EventCode::requested: return {name + " was handed to the compiler", "", ""};
    case EventCode::compiled: return {fmt::format("{} was compiled in {:.1f} ms", name, event.value / 1000.0), "", ""};
    case EventCode::assembled:
      return {fmt::format("a plan of {} was put together in {:.1f} ms of code that was known", name, event.value / 1000.0), "",
              ""};
    case EventCode::adopted:
      return {fmt::format("{} runs compiled from here on{}", name,
                          event.value ? ", writing out only what has been held of late" : ""),
              "", ""};
    case EventCode::failed: return {name + " could not be compiled", trace ? trace->refusal : "", ""};
    case EventCode::refused:
      return {name + " is not to be compiled", trace ? trace->refusal : "", trace ? place_of(*trace, 0, lines) : ""};
    case EventCode::hit: return {fmt::format("{} ran compiled {} times", name, event.value), "", ""};
    case EventCode::missed:
      return {event.trace == 0
                  ? std::string("a window followed no known path")
                  : fmt::format("a window left every known path after {} records; nearest is {}", event.position, name),
              parting(trace, event), place()};
    case EventCode::side_exit:
      return {fmt::format("{} was left after {} deferred records, which then ran one by one", name, event.position),
              event.key.op == Op::none ? "somebody needed a value before the window ended, or no plan could come of it"
                                       : parting(trace, event),
              place()};
    case EventCode::check_failed:
      return {fmt::format("the plan of {} refused the data at record {}, and the window ran one by one", name, event.position),
              "an index is out of range, or a shape does not fit: eager execution raises the error at its line", place()};
    case EventCode::escapes_grew:
      return {fmt::format("a value of {} outlived its window that the plan does not write out", name),
              fmt::format("record {} is held by a handle or by the tape where it was not before", event.position), place()};
    case EventCode::evicted:
      return {fmt::format("{} traces were dropped, those unused for longest", event.value), "the limits on traces were reached",
              ""};
    case EventCode::shelved:
      return {fmt::format("the plan of {} waits", name),
              fmt::format("it takes {} % of the time of its kernels one by one", event.value),
              trace ? place_of(*trace, 0, lines) : ""};
    case EventCode::resumed: return {fmt::format("the plan of {} is tried again", name), "", ""};
    case EventCode::predicted:
      return {fmt::format("{} was made up for sizes not seen before, after {}", name, name_of_trace(event.value)), "", ""};
    case EventCode::storm:
      return {fmt::format("{} is not compiled for now", name),
              fmt::format("{} compilations of its structure have not paid for themselves yet", event.value),
              trace ? place_of(*trace, 0, lines) : ""};
    case EventCode::remembered: return {fmt::format("{} traces of earlier processes were loaded", event.value), "", ""};
    case EventCode::forked:
      return {fmt::format("{} goes on in many ways after {} records: windows end there", name, event.position),
              fmt::format("what stands before is {}", name_of_trace(event.value)), place()};
    case EventCode::closed:
      return {fmt::format("windows no longer end in {} after {} records", name, event.position),
              "of late the same has always followed", place()};
  }
  return {fmt::format("event of code {}, which this build does not know", event.code), "", ""};
}

const runlog::PlanEntry* plan_of(const runlog::TraceEntry& trace) {
  return trace.plans.empty() ? nullptr : &trace.plans.back();
}

EscapeMask escapes_of(const runlog::TraceEntry& entry) {
  const runlog::PlanEntry* wide = nullptr;
  for (const runlog::PlanEntry& plan : entry.plans)
    if (!plan.tight) wide = &plan;
  if (wide) return wide->escapes;
  const Trace& trace = entry.trace;
  std::vector<bool> read(trace.size());
  for (RecordIndex i = 0; i < trace.size(); ++i)
    for (int k = 0; k < trace.keys[i].n_operands; ++k)
      if (trace.keys[i].operands[k].is_tensor() && trace.storages[i] != trace.storages[trace.operand(i, k)])
        read[trace.storages[trace.operand(i, k)]] = true;
  EscapeMask mask(trace.size());
  for (RecordIndex i = 0; i < trace.size(); ++i)
    if (!trace.is_input(i) && trace.keys[i].op != Op::cut && trace.storages[i] == i && !read[i]) mask.set(i);
  return mask;
}

std::string state_of(const runlog::TraceEntry& trace) {
  using Figures = runlog::TraceFigures;
  const std::uint32_t state = trace.figures.state;
  const runlog::PlanEntry* const plan = plan_of(trace);
  if (state & Figures::kRefused) return "not compiled: " + (trace.refusal.empty() ? std::string("refused") : trace.refusal);
  if (state & Figures::kShelved) return "its plan waits: it was slower than its kernels one by one";
  if (plan && (state & Figures::kPlan))
    return fmt::format("{} ops fused in {} loops, {} library calls", plan->fused_ops, plan->groups, plan->library_calls);
  if (!trace.refusal.empty()) return "not compiled: " + trace.refusal;
  if (state & Figures::kPromised) return "known from an earlier process";
  return "runs op by op";
}

PlanOutline outline_of(const runlog::TraceEntry& trace) {
  try {
    return outline_plan(trace.trace, escapes_of(trace));
  } catch (const CompileError& error) {
    usage_error("{} cannot be compiled: {}", name_of_trace(trace.trace.id), error.what());
  }
}

std::string place_of(const runlog::TraceEntry& trace, RecordIndex i, SourceLines& lines) {
  const auto& sites = trace.trace.sites;
  if (sites.empty()) return "unknown place";
  const RecordIndex last = std::min<RecordIndex>(i, static_cast<RecordIndex>(sites.size() - 1));
  for (RecordIndex k = last + 1; k-- > 0;)
    if (sites[k].known()) return lines.of(sites[k]);
  for (RecordIndex k = last; k < sites.size(); ++k)
    if (sites[k].known()) return lines.of(sites[k]);
  return "unknown place";
}

std::vector<std::pair<std::string, std::size_t>> callers_of(const runlog::TraceEntry& trace, SourceLines& lines) {
  std::map<std::string, std::size_t> counts;
  for (RecordIndex i = 0; i < trace.trace.size(); ++i)
    if (!trace.trace.is_input(i) && trace.trace.keys[i].op != Op::cut && trace.trace.sites[i].known())
      ++counts[lines.of(trace.trace.sites[i])];
  std::vector<std::pair<std::string, std::size_t>> callers(counts.begin(), counts.end());
  std::ranges::stable_sort(callers, std::ranges::greater(), &std::pair<std::string, std::size_t>::second);
  return callers;
}

std::string wrapped(const std::string& text, std::size_t indent) {
  constexpr std::size_t kColumns = 100;
  std::string out;
  std::string line = text;
  while (line.size() > kColumns) {
    const std::size_t first = line.find_first_not_of(' ');
    std::size_t end = line.rfind(' ', kColumns);
    if (end == std::string::npos || end <= first) end = line.find(' ', kColumns);  // a word that is longer
    if (end == std::string::npos) break;
    out += line.substr(0, end) + "\n";
    line = std::string(indent, ' ') + line.substr(end + 1);
  }
  return out + line + "\n";
}

std::string cut_to_width(std::string line, std::size_t columns) {
  std::ranges::replace(line, '\n', ' ');
  if (line.size() > columns) line = line.substr(0, columns - 3) + "...";
  return line;
}

}  // namespace swage::tool
