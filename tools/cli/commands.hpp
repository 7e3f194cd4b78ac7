// The commands, each in a folder or file of its own. Every function adds one to the command line; what it does runs once the whole line
// is understood.
#pragma once

#include <string>

#include <CLI/App.hpp>

namespace swage::tool {

void add_run(CLI::App& app);
void add_trace(CLI::App& app);
void add_bench(CLI::App& app);
void add_cache(CLI::App& app);
void add_doctor(CLI::App& app);
void add_demo(CLI::App& app);

// Where the plan cache is and how much it holds, in a line.
std::string cache_summary();

}  // namespace swage::tool
