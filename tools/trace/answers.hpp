// What the commands answer, as JSON: for --json, and for the page that shows all of it. docs/inspector-json.md names every field.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include <jit/inspect.hpp>
#include <runtime/log/reader.hpp>
#include <tools/trace/source_lines.hpp>

namespace swage::tool {

using Json = nlohmann::ordered_json;

// Each stands in the file of its command.
Json answer_top(const runlog::Run& run);
Json answer_show(const runlog::Run& run, const runlog::TraceEntry& entry, SourceLines& lines);
Json answer_why(const runlog::Run& run, const std::string& id, SourceLines& lines);  // an empty id: all
Json answer_fusion(const runlog::TraceEntry& entry, const PlanOutline& outline, SourceLines& lines);
Json answer_advice(const runlog::Run& run, SourceLines& lines);
Json answer_lost(const runlog::Run& run, SourceLines& lines);
Json answer_break_even(const runlog::Run& run);
Json answer_memory(const runlog::TraceEntry& entry, const PlanOutline& outline, SourceLines& lines);
Json timeline_events(const runlog::Run& run, SourceLines& lines);
// The code of a trace at a stage that `--stage` names. UsageError where there is no such stage; CompileError.
std::string text_at_stage(const runlog::TraceEntry& entry, const std::string& stage);

// In one line. A log may hold any bytes: those that are no UTF-8 are replaced.
std::string in_one_line(const Json& json);
void print_json(const Json& json);

}  // namespace swage::tool
