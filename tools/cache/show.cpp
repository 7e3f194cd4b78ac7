// `swage cache show`: one entry.
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <jit/cache/plan_code.hpp>
#include <jit/cache/stored_code.hpp>
#include <tools/cache/commands.hpp>
#include <tools/cache/entries.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

// What the plans run, and by which plans the code that is shown is run.
struct Links {
  std::optional<jit::PlanCode> of_plan;
  std::vector<std::string> code, plans;  // ids
};

Links links_of(const EntryFolder& folder, const std::vector<StoredEntry>& entries, const StoredEntry& shown) {
  std::vector<StoredTrace> traces;
  std::vector<const StoredEntry*> plans;
  for (const StoredEntry& entry : entries) {
    if (!entry.trace) continue;
    traces.push_back(*entry.trace);
    plans.push_back(&entry);
  }
  const auto codes = jit::code_of_plans(folder, traces);
  Links links;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (plans[i] == &shown) links.of_plan = codes[i];
    if (std::ranges::find(codes[i].here, shown.info.name) != codes[i].here.end()) links.plans.push_back(plans[i]->id);
  }
  if (links.of_plan)
    for (const StoredEntry& entry : entries)
      if (std::ranges::find(links.of_plan->here, entry.info.name) != links.of_plan->here.end()) links.code.push_back(entry.id);
  return links;
}

std::string state_in_words(const StoredEntry& entry) {
  if (entry.state == EntryState::ready) return "this build can use it here";
  return fmt::format("{}: {}", entry.state == EntryState::damaged ? "damaged" : "not used by this build here", entry.why);
}

std::vector<RecordIndex> escapes_of(const StoredTrace& stored) {
  std::vector<RecordIndex> escapes;
  for (RecordIndex i = 0; i < stored.trace.size(); ++i)
    if (stored.escapes.test(i)) escapes.push_back(i);
  return escapes;
}

void as_json(const StoredEntry& entry, const Links& links) {
  nlohmann::ordered_json json = {{"id", entry.id},
                                 {"kind", entry.kind()},
                                 {"state", label_of(entry.state)},
                                 {"why", entry.why},
                                 {"file", entry.info.name},
                                 {"bytes", entry.info.bytes},
                                 {"last_use_ns", entry.info.last_use},
                                 {"cpu", cpu_of(entry)},
                                 {"build", build_of(entry)},
                                 {"made_by", entry.entry ? entry.entry->environment : ""},
                                 {"key_bytes", entry.entry ? entry.entry->key.size() : 0},
                                 {"payload_bytes", entry.entry ? entry.entry->payload.size() : 0}};
  if (entry.trace) {
    json["ops"] = entry.trace->trace.n_ops();
    json["eager_us"] = entry.trace->eager_ns * 1e-3;
    json["escapes"] = escapes_of(*entry.trace);
    json["text"] = print(entry.trace->trace, &entry.trace->escapes);
    json["code"] = links.code;
    json["code_missing"] = links.of_plan ? links.of_plan->missing : 0;
    json["refusal"] = links.of_plan ? links.of_plan->trouble : "";
  } else if (!entry.is_plan()) {
    json["plans"] = links.plans;
  }
  fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string code_in_words(const Links& links) {
  const jit::PlanCode& code = *links.of_plan;
  if (!code.trouble.empty()) return "not compiled: " + code.trouble;
  if (code.here.empty() && code.missing == 0) return "none: library calls alone";
  std::string text = fmt::format("{} of {} functions", code.here.size(), code.here.size() + code.missing);
  for (const std::string& id : links.code) text += " " + id;
  return text;
}

void as_text(const StoredEntry& entry, const Links& links) {
  const auto line = [](const char* name, const std::string& text) {
    fmt::print("{}", wrapped(fmt::format("{:<9} {}", name, text), 10));
  };
  line(entry.is_plan() ? "plan" : "code", entry.id);
  line("state", state_in_words(entry));
  line("file", entry.info.name);
  line("size", size_text(entry.info.bytes) + " on disk");
  line("last use", age_text(entry.info.last_use));
  if (!entry.entry) return;
  line("made by", entry.entry->environment);
  line("stored", fmt::format("a key of {} bytes, {} bytes of {}", entry.entry->key.size(), entry.entry->payload.size(),
                             entry.is_plan() ? "escapes and times" : "machine code"));
  if (entry.state == EntryState::ready && !entry.is_plan())
    line("plans", links.plans.empty() ? "none here runs it" : fmt::format("{}", fmt::join(links.plans, " ")));
  if (entry.is_plan() && !entry.trace) line("ops", "are numbered by the build that made it, and not shown");
  if (!entry.trace) return;
  const auto& [trace, escapes, eager_ns] = *entry.trace;
  line("ops",
       fmt::format("{} in {} records; op by op its kernels took {:.1f} us", trace.n_ops(), trace.size(), eager_ns * 1e-3));
  if (links.of_plan) line("code", code_in_words(links));
  fmt::print("\n{}", print(trace, &escapes));
}

}  // namespace

void add_cache_show(CLI::App& cache) {
  CLI::App* const command = cache.add_subcommand("show", "one entry: its ops, what is stored, for which CPU and build");
  auto id = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  command->add_option("id", *id, "as `swage cache ls` shows it, or the beginning of it")->required();
  command->add_flag("--json", *json, "as one line of JSON");
  command->callback([=] {
    const auto folder = need_folder();
    const auto entries = entries_in(*folder);
    const StoredEntry& entry = entry_named(entries, *folder, *id);
    const Links links = entry.state == EntryState::ready ? links_of(*folder, entries, entry) : Links{};
    *json ? as_json(entry, links) : as_text(entry, links);
  });
}

}  // namespace swage::tool
