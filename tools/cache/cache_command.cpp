// `swage cache`: the plans that are stored on disk for later processes, and their code.
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <tools/cache/commands.hpp>
#include <tools/cache/entries.hpp>
#include <tools/cli/commands.hpp>

namespace swage::tool {
namespace {

constexpr const char* kExamples =
    R"(Examples (SWAGE_CACHE names the folder, SWAGE_CACHE_BYTES its limit; ID is as `ls` shows it)
  swage cache ls                          each plan, and whether this build can use it
  swage cache show 3f2a                   its ops, what was stored with it, its code
  swage cache verify                      reads every entry; exits 1 where one is damaged
  swage cache gc --older-than 30          drops what is damaged, foreign, or long unused
  swage cache gc --limit 64M --dry-run    says what would go
  swage cache export plans.swageplans     all that this build can use, in one file
  swage cache import plans.swageplans     into this folder; every entry is checked first
  swage cache clear                       drops all of it)";

}  // namespace

std::string cache_summary() {
  std::string why_not;
  const auto folder = open_folder(why_not);
  if (!folder) return "none: " + why_not;
  std::uint64_t bytes = 0;
  const auto entries = folder->list();
  for (const EntryInfo& entry : entries) bytes += entry.bytes;
  return fmt::format("{} of {} in {}, {}", size_text(bytes), size_text(folder->limit()), count_text(entries.size()),
                     folder->path().string());
}

void add_cache(CLI::App& app) {
  CLI::App* const cache = app.add_subcommand("cache", "the plans on disk, for later processes");
  add_cache_ls(*cache);
  add_cache_show(*cache);
  add_cache_verify(*cache);
  add_cache_gc(*cache);
  add_cache_export(*cache);
  add_cache_import(*cache);
  add_cache_clear(*cache);
  cache->footer(kExamples);
  cache->require_subcommand(0, 1);
  cache->callback([cache] {
    if (cache->get_subcommands().empty()) list_cache(false, false);
  });
}

}  // namespace swage::tool
