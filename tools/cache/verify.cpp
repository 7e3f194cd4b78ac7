// `swage cache verify`: whether each entry is whole, and loads here.
#include <map>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cache/commands.hpp>
#include <tools/cache/entries.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

using Found = std::vector<const StoredEntry*>;

std::map<EntryState, std::size_t> counts_of(const Found& found) {
  std::map<EntryState, std::size_t> counts;
  for (const EntryState state :
       {EntryState::ready, EntryState::other_build, EntryState::other_cpu, EntryState::other_libraries, EntryState::damaged})
    counts[state] = 0;
  for (const StoredEntry* const entry : found) ++counts[entry->state];
  return counts;
}

void as_json(const Found& found) {
  nlohmann::ordered_json json = {{"entries", found.size()}};
  for (const auto& [state, n] : counts_of(found)) json[label_of(state)] = n;
  json["not_ready"] = nlohmann::ordered_json::array();
  for (const StoredEntry* const entry : found)
    if (entry->state != EntryState::ready)
      json["not_ready"].push_back({{"id", entry->id},
                                   {"kind", entry->kind()},
                                   {"state", label_of(entry->state)},
                                   {"why", entry->why},
                                   {"file", entry->info.name}});
  fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void as_text(const Found& found) {
  for (const StoredEntry* const entry : found)
    if (entry->state != EntryState::ready)
      fmt::print("{}", wrapped(fmt::format("{} {} {}: {}", entry->id, entry->kind(), label_of(entry->state), entry->why), 11));
  std::string text = count_text(found.size());
  const char* between = ": ";
  for (const auto& [state, n] : counts_of(found)) {
    if (n > 0) text += fmt::format("{}{} {}", between, n, label_of(state));
    if (n > 0) between = ", ";
  }
  fmt::print("{}\n", text);
}

}  // namespace

void add_cache_verify(CLI::App& cache) {
  CLI::App* const command = cache.add_subcommand("verify", "reads every entry whole; exits 1 where one is damaged");
  auto id = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  command->add_option("id", *id, "of one entry (default: all)");
  command->add_flag("--json", *json, "as one line of JSON");
  command->callback([=] {
    const auto folder = id->empty() ? folder_or_remark(*json) : need_folder();
    if (!folder) return;
    const auto entries = entries_in(*folder);
    Found found;
    if (!id->empty()) found.push_back(&entry_named(entries, *folder, *id));
    if (id->empty())
      for (const StoredEntry& entry : entries) found.push_back(&entry);
    *json ? as_json(found) : as_text(found);
    if (counts_of(found)[EntryState::damaged] > 0) throw CLI::RuntimeError(1);
  });
}

}  // namespace swage::tool
