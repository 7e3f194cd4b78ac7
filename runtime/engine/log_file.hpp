// What the engine knows, written to a file when the process ends: one JSON object a line.
//
//   {"swage_log":1,"pid","command","started","seconds"}              first line
//   {"counters":{"ops","compiled_ops","windows","hits","misses","side_exits","traces","compiles",…}}
//   {"trace":id,"records","ops","runs","hits","side_exits","eager_us","plan","compile_ms","groups","fused_ops",
//    "library_calls","refusal","notes","text"}                       text: the trace with its escapes, as parse_trace reads it
//   {"remark":text}                                                 what no trace is to blame for, such as a cache entry rejected
//   {"event":name,"ns","trace","position","value","why"}             oldest first
//
// SWAGE_LOG=PATH chooses the file, SWAGE_LOG=off writes none. By default the file is run-PID.jsonl in the folder below, of which
// the latest 32 are kept.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace swage {

inline constexpr int kLogVersion = 1;

// The private folder of runs: $XDG_RUNTIME_DIR/swage, else swage-UID in the temporary directory.
std::filesystem::path log_folder();
// Logs in the folder, latest first.
std::vector<std::filesystem::path> list_logs();

void write_log_at_exit();
// Writes a temporary file and renames it. Returns false, having left nothing behind, where that fails.
bool write_log(const std::filesystem::path& path);

}  // namespace swage
