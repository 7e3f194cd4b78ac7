// A run's log, and what is meant by the names on the command line.
#pragma once

#include <filesystem>
#include <string>

#include <runtime/engine/event_words.hpp>
#include <runtime/log/reader.hpp>

namespace swage::tool {

// RUN as the command line has it: a path, a process id, or empty for the latest. UsageError says where it was looked for.
std::filesystem::path find_run(const std::string& run);
// Its log. UsageError where that is none; what of it is damaged is named on stderr.
runlog::Run open_run(const std::string& run);

// What is named "t17" or "17"; "p4": the trace of a plan; "m5": an event. UsageError where there is none.
const runlog::TraceEntry& trace_named(const runlog::Run& run, const std::string& name);
const runlog::EventEntry& event_named(const runlog::Run& run, const std::string& name);
bool is_id(const std::string& name);  // a letter and a number
bool names_event(const std::string& name);

bool is_alive(const runlog::Run& run);
std::string state_of(const runlog::Run& run);  // "running", "ended" or "killed"

}  // namespace swage::tool
