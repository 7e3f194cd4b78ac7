// What the engine decided, in words, with the line of the program.
#pragma once

#include <string>
#include <vector>

#include <jit/inspect.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/log/reader.hpp>
#include <tools/trace/source_lines.hpp>

namespace swage::tool {

inline EventCode code_of(const runlog::EventEntry& event) { return static_cast<EventCode>(event.code); }
std::string name_of(const runlog::EventEntry& event);  // "missed"; "unknown" for a code of another build

// Whether something ran slower than it might have, or was compiled again.
bool is_trouble(const runlog::EventEntry& event);

struct Explanation {
  std::string what;   // what happened
  std::string why;    // the field that differed, or the reason; may be empty
  std::string place;  // file and line; empty where no op is to blame
};
Explanation explain(const runlog::Run& run, const runlog::EventEntry& event, SourceLines& lines);

// Whether the trace runs compiled and, if not, why.
std::string state_of(const runlog::TraceEntry& trace);
// The plan that it was given last; null where there was none.
const runlog::PlanEntry* plan_of(const runlog::TraceEntry& trace);
// The storages that its plan writes out; where it has none, those that nothing in the trace reads.
EscapeMask escapes_of(const runlog::TraceEntry& trace);
// What the compiler makes of it. UsageError where it cannot be compiled.
PlanOutline outline_of(const runlog::TraceEntry& trace);
// Why the trace cannot be run here: its tensors are larger than this machine's memory has room for. Empty where it can.
std::string too_large_to_run(const Trace& trace);
// The line that issued record i, or the nearest record before it whose line is known.
std::string place_of(const runlog::TraceEntry& trace, RecordIndex i, SourceLines& lines);
// The lines that issued its ops, those with most ops first.
std::vector<std::pair<std::string, std::size_t>> callers_of(const runlog::TraceEntry& trace, SourceLines& lines);

// Text in lines of at most 100 columns, those after the first indented.
std::string wrapped(const std::string& text, std::size_t indent = 0);
std::string cut_to_width(std::string line, std::size_t columns = 100);

}  // namespace swage::tool
