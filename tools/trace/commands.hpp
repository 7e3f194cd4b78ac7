// The commands of `swage trace`, one file each.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include <runtime/log/reader.hpp>

namespace swage::tool {

void add_top(CLI::App& trace);
void add_show(CLI::App& trace);
void add_why(CLI::App& trace);
void add_diff(CLI::App& trace);
void add_ir(CLI::App& trace);
void add_fusion(CLI::App& trace);
void add_lost(CLI::App& trace);
void add_break_even(CLI::App& trace);
void add_memory(CLI::App& trace);
void add_graph(CLI::App& trace);
void add_timeline(CLI::App& trace);
void add_check(CLI::App& trace);
void add_map(CLI::App& trace);
void add_ci(CLI::App& trace);
void add_replay(CLI::App& trace);
void add_report(CLI::App& trace);
void add_advice(CLI::App& trace);

// What most of them take.
struct TraceArguments {
  std::string id, run;
  bool json = false;
};
std::shared_ptr<TraceArguments> take_run(CLI::App& command);
std::shared_ptr<TraceArguments> take_id_and_run(CLI::App& command);

// `swage trace top`, for others to print.
std::string traces_as_table(const runlog::Run& run, std::size_t count);

}  // namespace swage::tool
