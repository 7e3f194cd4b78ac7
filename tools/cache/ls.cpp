// `swage cache ls`: what there is.
#include <map>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cache/commands.hpp>
#include <tools/cache/entries.hpp>

namespace swage::tool {
namespace {

struct Sum {
  std::size_t entries = 0, ready = 0;
  std::uint64_t bytes = 0;
};

void as_json(const EntryFolder& folder, const std::vector<StoredEntry>& entries, std::uint64_t bytes) {
  auto list = nlohmann::ordered_json::array();
  for (const StoredEntry& entry : entries) {
    nlohmann::ordered_json one = {{"id", entry.id},         {"kind", entry.kind()},     {"state", label_of(entry.state)},
                                  {"why", entry.why},       {"ops", nullptr},           {"bytes", entry.info.bytes},
                                  {"cpu", cpu_of(entry)},   {"build", build_of(entry)}, {"last_use_ns", entry.info.last_use},
                                  {"file", entry.info.name}};
    if (entry.trace) one["ops"] = entry.trace->trace.n_ops();
    list.push_back(std::move(one));
  }
  const nlohmann::ordered_json json = {
      {"folder", folder.path().string()}, {"limit_bytes", folder.limit()}, {"used_bytes", bytes}, {"entries", list}};
  fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void as_text(const EntryFolder& folder, const std::vector<StoredEntry>& entries, std::uint64_t bytes, bool code) {
  bool any = false;
  for (const StoredEntry& entry : entries) {
    if (!entry.is_plan() && !code) continue;
    if (!any)
      fmt::print("{:<10} {:<4} {:>5} {:>10} {:<6} {:<8} {:>12}  {}\n", "id", "kind", "ops", "size", "cpu", "build", "last use",
                 "state");
    any = true;
    fmt::print("{:<10} {:<4} {:>5} {:>10} {:<6} {:<8} {:>12}  {}\n", entry.id, entry.kind(),
               entry.trace ? fmt::format("{}", entry.trace->trace.n_ops()) : "-", size_text(entry.info.bytes), cpu_of(entry),
               build_of(entry), age_text(entry.info.last_use), label_of(entry.state));
  }
  std::map<std::string, Sum> sums{{"code", {}}, {"plan", {}}};
  for (const StoredEntry& entry : entries) {
    Sum& sum = sums[entry.kind()];
    ++sum.entries;
    sum.ready += entry.state == EntryState::ready;
    sum.bytes += entry.info.bytes;
  }
  if (any) fmt::print("\n");
  fmt::print("{:<8} {}\n", "folder", folder.path().string());
  fmt::print("{:<8} {} of {}\n", "used", size_text(bytes), size_text(folder.limit()));
  for (const auto& [kind, name] : {std::pair{"plan", "plans"}, std::pair{"code", "code"}}) {
    const Sum& sum = sums[kind];
    fmt::print("{:<8} {} in {}, {} for this build and CPU\n", name, size_text(sum.bytes), count_text(sum.entries), sum.ready);
  }
}

}  // namespace

void list_cache(bool json, bool code) {
  const auto folder = folder_or_remark(json);
  if (!folder) return;
  std::uint64_t bytes = 0;
  for (const EntryInfo& info : folder->list()) bytes += info.bytes;  // with what is being written
  const auto entries = entries_in(*folder);
  json ? as_json(*folder, entries, bytes) : as_text(*folder, entries, bytes, code);
}

void add_cache_ls(CLI::App& cache) {
  CLI::App* const command = cache.add_subcommand("ls", "each plan on disk; totals and limit");
  auto json = std::make_shared<bool>(false), code = std::make_shared<bool>(false);
  command->add_flag("--code", *code, "each function of machine code too");
  command->add_flag("--json", *json, "as one line of JSON, with the code");
  command->callback([=] { list_cache(*json, *code); });
}

}  // namespace swage::tool
