// A run's event log (runtime/engine/log_file.hpp), read back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace swage::tool {

struct LoggedTrace {
  std::uint32_t id = 0;
  std::uint64_t records = 0, ops = 0, runs = 0, hits = 0, side_exits = 0;
  double eager_us = 0;  // mean time of its kernels when run eagerly
  double compile_ms = 0;
  bool plan = false;
  std::uint64_t groups = 0, fused_ops = 0, library_calls = 0;
  std::string refusal, notes;  // why it was not compiled; what the compiler said
  std::string text;            // as parse_trace reads it, escapes included

  std::string name() const { return "t" + std::to_string(id); }
  double heat() const { return eager_us * static_cast<double>(runs); }
};

struct LoggedEvent {
  std::string name, why;
  std::uint64_t ns = 0;
  std::uint32_t trace = 0, position = 0, value = 0;
};

struct RunLog {
  std::filesystem::path path;
  std::int64_t pid = 0;
  std::string command;
  double seconds = 0;
  nlohmann::json counters;
  std::vector<LoggedTrace> traces;  // hottest first
  std::vector<LoggedEvent> events;  // oldest first

  const LoggedTrace& trace(std::string_view id) const;  // "t17" or "17"; UsageError where there is none
};

// RUN as the command line has it: a path, a process id, or empty for the latest. UsageError says where it was looked for.
std::filesystem::path find_run(const std::string& run);
RunLog read_run(const std::filesystem::path& path);

}  // namespace swage::tool
