// `swage trace fusion`: what was fused, and what it saves.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cli/paint.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

std::int64_t saved_bytes(const PlanOutline& outline) {
  std::int64_t saved = 0;
  for (const PlanOutline::Group& group : outline.groups) saved += group.saved_bytes;
  return saved;
}

}  // namespace

Json answer_fusion(const runlog::TraceEntry& entry, const PlanOutline& outline, SourceLines& lines) {
  Json groups = Json::array();
  for (const PlanOutline::Group& group : outline.groups) {
    Json records = Json::array();
    for (RecordIndex i : group.records)
      records.push_back({{"record", i}, {"text", print_record(outline.trace, i)}, {"site", place_of(entry, i, lines)}});
    groups.push_back({{"kind", group.library ? "library" : "loop"},
                      {"records", records},
                      {"saved_bytes", group.saved_bytes},
                      {"text", group.text}});
  }
  return {{"id", name_of_trace(entry.trace.id)},
          {"saved_bytes", saved_bytes(outline)},
          {"groups", groups},
          {"notes", outline.notes}};
}

void add_fusion(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("fusion", "what was fused, for each boundary why not more, bytes saved");
  auto arguments = take_id_and_run(*command);
  command->callback([arguments] {
    const runlog::Run run = open_run(arguments->run);
    const runlog::TraceEntry& entry = trace_named(run, arguments->id);
    const PlanOutline outline = outline_of(entry);
    SourceLines lines(run);
    if (arguments->json) {
      print_json(answer_fusion(entry, outline, lines));
      return;
    }
    fmt::print("{}", painted(fmt::format("{}: {} groups; fusion saves {} bytes of reading and writing a run\n",
                                         name_of_trace(entry.trace.id), outline.groups.size(), saved_bytes(outline))));
    for (std::size_t g = 0; g < outline.groups.size(); ++g) {
      const PlanOutline::Group& group = outline.groups[g];
      std::string ops;
      for (RecordIndex i : group.records) ops += fmt::format(" %{} {}", i, name_of(outline.trace.keys[i].op));
      const std::string what = group.library ? "library call" : fmt::format("loop, saves {} bytes", group.saved_bytes);
      fmt::print("{}", wrapped(fmt::format("group {} ({}):{}", g, what, ops), 4));
      if (!group.records.empty()) fmt::print("{}", wrapped("    at " + place_of(entry, group.records.front(), lines), 4));
    }
    if (!outline.notes.empty()) fmt::print("{}", inked(Ink::heading, "boundaries\n"));
    for (const std::string& note : outline.notes) fmt::print("{}", wrapped("  " + note, 4));
  });
}

}  // namespace swage::tool
