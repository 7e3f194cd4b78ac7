// Reads a run's log (runtime/log/format.hpp) while it is written, afterwards, or after the process was killed. Whatever the file holds,
// reading ends: what is damaged is left out, and named.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <runtime/log/format.hpp>
#include <runtime/trace/trace.hpp>

namespace swage::runlog {

struct PlanEntry {
  std::uint32_t id = 0;  // from 1, in the order of the log
  bool tight = false;
  std::uint32_t groups = 0, fused_ops = 0, library_calls = 0, generated = 0;
  std::uint64_t arena_bytes = 0;
  double ms = 0;
  EscapeMask escapes;
  std::string notes;
};

struct TraceEntry {
  Trace trace;  // ids are this process's; sites are addresses in the process that wrote the log
  TraceFigures figures;
  std::vector<PlanEntry> plans;  // oldest first
  std::string refusal;           // the last one
  std::vector<EscapeFigures> escapes;

  bool was_kept() const { return !(figures.state & TraceFigures::kSeen); }  // otherwise it is a sample of windows that were not
};

struct EventEntry {
  std::uint64_t sequence = 0;  // of its ring, from 1
  std::uint64_t ns = 0, until_ns = 0;
  std::uint64_t site = 0;
  std::uint32_t code = 0, trace = 0, position = 0, value = 0, stream = 0;
  KeyHalf key;  // ids are this process's
};

struct ModuleEntry {
  std::uint64_t bias = 0, begin = 0, end = 0;
  std::string build_id, path;
};

struct Run {
  std::filesystem::path path;
  std::uint32_t pid = 0;
  std::string command;
  std::uint64_t started_ns = 0;  // since 1970
  std::uint64_t last_ns = 0;     // of the latest event, since it began
  bool ended = false;            // by itself: it neither runs on nor was killed
  std::uint64_t compiles = 0, assembled = 0, compile_failures = 0, compile_ns = 0, compile_ns_at_most = 0;
  struct Stream {
    std::uint64_t number = 0, ops = 0, compiled_ops = 0, windows = 0, hits = 0, misses = 0, side_exits = 0, traces = 0;
  };
  std::vector<Stream> streams;
  std::vector<TraceEntry> traces;               // in the order in which they were kept
  std::vector<EventEntry> events;               // of both rings, by time
  std::uint64_t decisions = 0, hit_events = 0;  // ever written, of which the latest are in `events`
  std::uint64_t lost_blobs = 0;
  std::vector<std::string> remarks;
  std::vector<ModuleEntry> modules;
  std::vector<std::string> damage;  // in words; empty where all that was written could be read

  Stream all_streams() const;                         // their sums, number 0
  const TraceEntry* find(std::uint32_t trace) const;  // null where there is none
};

// Raises IoError where the file cannot be read, ValueError where it is no log of this version.
Run read(const std::filesystem::path& path);
// The same, of a file's bytes. Never fails for other reasons, and never reads outside.
Run read(std::string_view bytes, const std::filesystem::path& path = {});

}  // namespace swage::runlog
