#include <tools/cache/entries.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <jit/cache/stored_code.hpp>
#include <jit/cpu/code_pages.hpp>
#include <runtime/cache/digest.hpp>
#include <runtime/cache/plan_cache.hpp>
#include <runtime/core/error.hpp>
#include <runtime/trace/validate.hpp>
#include <tools/cli/suggest.hpp>
#include <tools/cli/usage.hpp>

namespace swage::tool {
namespace {

constexpr std::size_t kIdDigits = 10, kBuildDigits = 8;

std::vector<std::string_view> parts_of(std::string_view environment) {
  constexpr std::string_view kBetween = "; ";
  std::vector<std::string_view> parts;
  while (!environment.empty()) {
    const std::size_t end = std::min(environment.find(kBetween), environment.size());
    parts.push_back(environment.substr(0, end));
    environment.remove_prefix(std::min(environment.size(), end + kBetween.size()));
  }
  return parts;
}

// What follows `word` in the part that begins with it.
std::string_view part_of(std::string_view environment, std::string_view word) {
  for (std::string_view part : parts_of(environment))
    if (part.starts_with(word)) return part.substr(word.size());
  return {};
}

// The state of what was made for `made` where `own` is wanted, and the first part that differs.
EntryState compare(std::string_view made, std::string_view own, std::string& why) {
  if (made == own) return EntryState::ready;
  const auto theirs = parts_of(made), ours = parts_of(own);
  for (std::size_t i = 0; i < std::min(theirs.size(), ours.size()); ++i) {
    if (theirs[i] == ours[i]) continue;
    if (ours[i].starts_with("x86-64 ")) {
      why = fmt::format("it uses other instructions: {}", cpu_of({{}, {}, {}, {}, Entry{std::string(made), {}, {}}, {}}));
      return EntryState::other_cpu;
    }
    why = fmt::format("it was made by '{}', this is '{}'", theirs[i], ours[i]);
    return i <= 1 ? EntryState::other_build : EntryState::other_libraries;
  }
  why = "it was made by another version";
  return EntryState::other_build;
}

}  // namespace

const char* label_of(EntryState state) {
  switch (state) {
    case EntryState::ready: return "ready";
    case EntryState::other_build: return "other-build";
    case EntryState::other_cpu: return "other-cpu";
    case EntryState::other_libraries: return "other-libraries";
    case EntryState::damaged: return "damaged";
  }
  return "?";
}

bool StoredEntry::is_plan() const { return info.kind == kTraceKind; }

std::string cpu_of(const StoredEntry& entry) {
  if (!entry.entry) return "?";
  const std::string_view features = part_of(entry.entry->environment, "x86-64 ");
  if (features.empty()) return "any";
  return features.find("+avx512") != std::string_view::npos ? "avx512" : "avx2";
}

std::string build_of(const StoredEntry& entry) {
  if (!entry.entry) return "?";
  const std::string_view build = part_of(entry.entry->environment, "build ");
  return build == part_of(trace_environment(), "build ") ? "this" : std::string(build.substr(0, kBuildDigits));
}

void judge(StoredEntry& entry, std::string why_not) {
  entry.state = EntryState::damaged;
  entry.why = std::move(why_not);
  if (!entry.entry) return;
  if (name_of({entry.info.kind, entry.entry->environment, entry.entry->key}) != entry.info.name) {
    entry.why = "its name is another's";
    entry.entry.reset();
    return;
  }
  if (entry.info.kind != kTraceKind && entry.info.kind != jit::kCodeKind) {
    entry.state = EntryState::other_build;
    entry.why = fmt::format("this build stores nothing of the kind '{}'", entry.info.kind);
    return;
  }
  entry.state = compare(entry.entry->environment, entry.is_plan() ? trace_environment() : jit::code_environment(), entry.why);
  if (entry.state == EntryState::ready && entry.is_plan()) {
    entry.trace = stored_trace_of(*entry.entry, entry.why);
    if (entry.trace) entry.why = what_is_wrong(entry.trace->trace);
    if (entry.why.empty() && entry.trace) entry.why = what_is_wrong(entry.trace->trace, entry.trace->escapes);
    if (!entry.why.empty()) {
      entry.state = EntryState::damaged;
      entry.trace.reset();
    }
  } else if (entry.state == EntryState::ready) {
    const std::optional<jit::CodeImage> image = jit::image_of(entry.entry->payload);
    if (!image) entry.why = "its code is cut off";
    try {
      if (image) const jit::CodePages pages({&*image, 1});
    } catch (const CompileError& error) {
      entry.why = error.what();
    }
    if (!entry.why.empty()) entry.state = EntryState::damaged;
  }
}

std::unique_ptr<EntryFolder> open_folder(std::string& why_not) {
  const CacheSettings settings = cache_settings();
  if (!settings.folder.empty()) return EntryFolder::open(settings.folder, settings.bytes, why_not);
  why_not = settings.remark;
  return nullptr;
}

std::unique_ptr<EntryFolder> need_folder() {
  std::string why_not;
  auto folder = open_folder(why_not);
  if (!folder) usage_error("no plan cache: {}", why_not);
  return folder;
}

std::unique_ptr<EntryFolder> folder_or_remark(bool json) {
  std::string why_not;
  auto folder = open_folder(why_not);
  if (!folder && json)
    fmt::print("{}\n", nlohmann::ordered_json({{"folder", nullptr}, {"remark", why_not}}).dump());
  else if (!folder)
    fmt::print("no plan cache: {}\n", why_not);
  return folder;
}

std::vector<StoredEntry> entries_in(const EntryFolder& folder) {
  std::vector<StoredEntry> entries;
  for (EntryInfo& info : folder.list()) {
    if (kind_of_name(info.name).empty()) continue;
    StoredEntry entry;
    std::string why_not;
    entry.entry = folder.examine(info.name, why_not);
    if (!entry.entry && why_not.empty()) continue;
    entry.id = digest_name(info.name).substr(0, kIdDigits);
    entry.info = std::move(info);
    judge(entry, std::move(why_not));
    entries.push_back(std::move(entry));
  }
  return entries;
}

const StoredEntry& entry_named(const std::vector<StoredEntry>& entries, const EntryFolder& folder, const std::string& name) {
  std::vector<const StoredEntry*> meant;
  std::vector<std::string> names;
  for (const StoredEntry& entry : entries) {
    names.push_back(entry.id);
    if (!name.empty() && (entry.id.starts_with(name) || entry.info.name == name)) meant.push_back(&entry);
  }
  if (meant.size() == 1) return *meant.front();
  if (meant.size() > 1) usage_error("'{}' names {} entries, such as {} and {}", name, meant.size(), meant[0]->id, meant[1]->id);
  const std::string near = nearest(name, names);
  if (!near.empty()) usage_error("there is no entry '{}' in {}, did you mean '{}'?", name, folder.path().string(), near);
  usage_error("there is no entry '{}' in {}; `swage cache ls` shows its {}", name, folder.path().string(), entries.size());
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 10'000'000) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / (1 << 10));
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string age_text(std::int64_t last_use) {
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::int64_t seconds = std::max<std::int64_t>(now - last_use / 1'000'000'000, 0);
  if (seconds < 120) return fmt::format("{} s ago", seconds);
  if (seconds < 120 * 60) return fmt::format("{} min ago", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h ago", seconds / 3600);
  return fmt::format("{} days ago", seconds / 86400);
}

std::string count_text(std::size_t n, const char* one, const char* many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

}  // namespace swage::tool
