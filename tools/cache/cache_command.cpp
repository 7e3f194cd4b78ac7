// `swage cache`: what is stored on disk for later processes.
#include <chrono>
#include <map>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <runtime/cache/plan_cache.hpp>
#include <tools/cli/commands.hpp>
#include <tools/cli/usage.hpp>

namespace swage::tool {
namespace {

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

// The folder, or the reason why there is none; the latter is no mistake of the user's.
std::unique_ptr<EntryFolder> open(std::string& why_not) {
  const CacheSettings settings = cache_settings();
  if (!settings.folder.empty()) return EntryFolder::open(settings.folder, settings.bytes, why_not);
  why_not = settings.remark;
  return nullptr;
}

std::unique_ptr<EntryFolder> open_or_say() {
  std::string why_not;
  auto folder = open(why_not);
  if (!folder) fmt::print("no plan cache: {}\n", why_not);
  return folder;
}

void info() {
  const auto folder = open_or_say();
  if (!folder) return;
  struct Sum {
    std::size_t entries = 0;
    std::uint64_t bytes = 0;
  };
  std::map<std::string, Sum> by_kind;
  Sum all;
  for (const EntryInfo& entry : folder->list()) {
    for (Sum* sum : {&all, &by_kind[entry.kind]}) {
      ++sum->entries;
      sum->bytes += entry.bytes;
    }
  }
  fmt::print("{:<8} {}\n", "folder", folder->path().string());
  fmt::print("{:<8} {}\n", "limit", size_text(folder->limit()));
  fmt::print("{:<8} {} in {} entries\n", "used", size_text(all.bytes), all.entries);
  for (const auto& [kind, sum] : by_kind) fmt::print("{:<8} {} in {} entries\n", kind, size_text(sum.bytes), sum.entries);
}

void list() {
  const auto folder = open_or_say();
  if (!folder) return;
  fmt::print("{:<8} {:>10} {:>12}  {}\n", "kind", "size", "last use", "name");
  for (const EntryInfo& entry : folder->list())
    fmt::print("{:<8} {:>10} {:>12}  {}\n", entry.kind, size_text(entry.bytes), age_text(entry.last_use), entry.name);
}

void clear() {
  const auto folder = open_or_say();
  if (folder) fmt::print("{} entries dropped\n", folder->clear());
}

}  // namespace

std::string cache_summary() {
  std::string why_not;
  const auto folder = open(why_not);
  if (!folder) return "none: " + why_not;
  std::uint64_t bytes = 0;
  const auto entries = folder->list();
  for (const EntryInfo& entry : entries) bytes += entry.bytes;
  return fmt::format("{} of {} in {} entries, {}", size_text(bytes), size_text(folder->limit()), entries.size(),
                     folder->path().string());
}

void add_cache(CLI::App& app) {
  CLI::App* command = app.add_subcommand("cache", "what is stored on disk for later processes");
  command->add_subcommand("info", "where it is, and how much it holds")->callback(info);
  command->add_subcommand("list", "its entries, latest use first")->callback(list);
  command->add_subcommand("clear", "drops all of them")->callback(clear);
  command->callback([command] {
    if (command->get_subcommands().empty()) info();
  });
}

}  // namespace swage::tool
