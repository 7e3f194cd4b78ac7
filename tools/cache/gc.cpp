// `swage cache gc` and `clear`: what is dropped, and why. Files that are no entries are left alone, whatever lies in the folder.
#include <ctime>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <runtime/cache/plan_cache.hpp>
#include <tools/cache/commands.hpp>
#include <tools/cache/entries.hpp>
#include <tools/cli/usage.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

struct Drop {
  std::string id, kind, file, why;
  std::uint64_t bytes = 0;
};

struct Wishes {
  std::string limit;      // as parse_bytes takes it; empty: that of the folder
  double older_than = 0;  // days; 0: whatever its age
  bool dry_run = false, json = false;
};

// What killed writers left. A living one's file is not ours to touch.
std::vector<Drop> left_behind(const EntryFolder& folder) {
  std::vector<Drop> drops;
  for (const EntryInfo& info : folder.list())
    if (EntryFolder::is_left_behind(info)) drops.push_back({"", "partial", info.name, "never finished", info.bytes});
  return drops;
}

std::vector<Drop> collect(const EntryFolder& folder, const Wishes& wishes) {
  std::uint64_t limit = folder.limit();
  if (!wishes.limit.empty() && !parse_bytes(wishes.limit, limit))
    usage_error("--limit is a number of bytes, or one with K, M or G after it, not '{}'", wishes.limit);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  constexpr double kDay = 86400;
  const double oldest = static_cast<double>(now.tv_sec) - wishes.older_than * kDay;
  std::vector<Drop> drops = left_behind(folder);
  std::uint64_t kept = 0;
  for (const StoredEntry& entry : entries_in(folder)) {  // latest use first
    std::string why;
    if (entry.state != EntryState::ready)
      why = fmt::format("{}: {}", label_of(entry.state), entry.why);
    else if (wishes.older_than > 0 && static_cast<double>(entry.info.last_use) * 1e-9 < oldest)
      why = "last used " + age_text(entry.info.last_use);
    else if (kept + entry.info.bytes > limit)
      why = "beyond the limit, last used " + age_text(entry.info.last_use);
    if (why.empty())
      kept += entry.info.bytes;
    else
      drops.push_back({entry.id, entry.kind(), entry.info.name, why, entry.info.bytes});
  }
  return drops;
}

void drop_all(EntryFolder& folder, std::vector<Drop> drops, const Wishes& wishes) {
  if (!wishes.dry_run) std::erase_if(drops, [&](const Drop& drop) { return !folder.remove(drop.file); });
  std::uint64_t bytes = 0, left = 0;
  for (const Drop& drop : drops) bytes += drop.bytes;
  for (const EntryInfo& info : folder.list()) left += info.bytes;
  if (wishes.dry_run) left -= std::min(left, bytes);
  if (wishes.json) {
    auto list = nlohmann::ordered_json::array();
    for (const Drop& drop : drops)
      list.push_back({{"id", drop.id}, {"kind", drop.kind}, {"bytes", drop.bytes}, {"why", drop.why}, {"file", drop.file}});
    const nlohmann::ordered_json json = {
        {"dry_run", wishes.dry_run}, {"dropped", list}, {"dropped_bytes", bytes}, {"left_bytes", left}};
    fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  for (const Drop& drop : drops) {
    const std::string line =
        fmt::format("{:<10} {:<7} {:>10}  {}", drop.id.empty() ? "-" : drop.id, drop.kind, size_text(drop.bytes), drop.why);
    fmt::print("{}\n", cut_to_width(line.substr(0, line.find_last_not_of(' ') + 1)));
  }
  fmt::print("{} {}dropped: {}; {} left\n", count_text(drops.size()), wishes.dry_run ? "would be " : "", size_text(bytes),
             size_text(left));
}

}  // namespace

void add_cache_gc(CLI::App& cache) {
  CLI::App* const command = cache.add_subcommand("gc", "drops what is damaged, foreign, or long unused");
  auto wishes = std::make_shared<Wishes>();
  command->add_option("--limit", wishes->limit, "the most that stays, such as 64M (default: the cache's)");
  command->add_option("--older-than", wishes->older_than, "and what was not used for so many days")->check(CLI::PositiveNumber);
  command->add_flag("--dry-run", wishes->dry_run, "says what would go");
  command->add_flag("--json", wishes->json, "as one line of JSON");
  command->callback([wishes] {
    const auto folder = folder_or_remark(wishes->json);
    if (folder) drop_all(*folder, collect(*folder, *wishes), *wishes);
  });
}

void add_cache_clear(CLI::App& cache) {
  CLI::App* const command = cache.add_subcommand("clear", "drops every entry, and says which");
  auto wishes = std::make_shared<Wishes>();
  command->add_flag("--dry-run", wishes->dry_run, "says what would go");
  command->add_flag("--json", wishes->json, "as one line of JSON");
  command->callback([wishes] {
    const auto folder = folder_or_remark(wishes->json);
    if (!folder) return;
    std::vector<Drop> drops = left_behind(*folder);
    for (const StoredEntry& entry : entries_in(*folder))
      drops.push_back({entry.id, entry.kind(), entry.info.name, "", entry.info.bytes});
    drop_all(*folder, std::move(drops), *wishes);
  });
}

}  // namespace swage::tool
