// What lies in the plan cache, looked at without changing it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <runtime/cache/entry_folder.hpp>
#include <runtime/cache/stored_trace.hpp>

namespace swage::tool {

// Whether this build, on this machine, would use an entry.
enum class EntryState : std::uint8_t { ready, other_build, other_cpu, other_libraries, damaged };
const char* label_of(EntryState state);  // "ready", "other-build", …

struct StoredEntry {
  EntryInfo info;
  std::string id;  // ten hexadecimal digits; any beginning of it that no other entry has names it too
  EntryState state = EntryState::damaged;
  std::string why;                   // it is not ready; empty if it is
  std::optional<Entry> entry;        // unless it is damaged
  std::optional<StoredTrace> trace;  // of a plan that this build made
  bool is_plan() const;              // else it is code
  std::string kind() const { return is_plan() ? "plan" : "code"; }
};

// Its parts of what it was made for, in words.
std::string cpu_of(const StoredEntry& entry);    // "avx512", "avx2"; "any" for plans, "?" where it is damaged
std::string build_of(const StoredEntry& entry);  // "this", the first digits of another's id, or "?"

// What is wrong with it here, if anything. `entry.entry` is set, or `why_not` says why it could not be read.
void judge(StoredEntry& entry, std::string why_not);

// The folder that SWAGE_CACHE names, or the reason why there is none.
std::unique_ptr<EntryFolder> open_folder(std::string& why_not);
// The same; UsageError where there is none.
std::unique_ptr<EntryFolder> need_folder();
// The same; where there is none, says so and gives null: nothing to report is no mistake.
std::unique_ptr<EntryFolder> folder_or_remark(bool json);

// All entries, latest use first. Those that other processes drop meanwhile, and what is being written, are left out.
std::vector<StoredEntry> entries_in(const EntryFolder& folder);
// The one that is meant. UsageError with the nearest name where there is none or more than one.
const StoredEntry& entry_named(const std::vector<StoredEntry>& entries, const EntryFolder& folder, const std::string& name);

std::string size_text(std::uint64_t bytes);
std::string age_text(std::int64_t last_use);  // "3 min ago"
// "1 entry", "2 entries"
std::string count_text(std::size_t n, const char* one = "entry", const char* many = "entries");

}  // namespace swage::tool
