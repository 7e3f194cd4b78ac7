// `swage trace map`: source line ↔ op ↔ fused loop ↔ machine code.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <jit/inspect.hpp>
#include <runtime/core/error.hpp>
#include <tools/cli/paint.hpp>
#include <tools/cli/usage.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

struct Place {
  std::string trace, site, op;
  int group = -1;  // none: the record computes nothing of its own
  bool library = false;
  int code = -1;  // the function in the code of the trace; none for library calls
};

std::vector<Place> places_of(const runlog::TraceEntry& entry, SourceLines& lines) {
  PlanOutline outline;
  try {
    outline = outline_plan(entry.trace, escapes_of(entry));
  } catch (const CompileError&) {  // its ops run one by one
    outline.trace = entry.trace;
  }
  std::vector<Place> places;
  for (RecordIndex i = 0; i < outline.trace.size(); ++i) {
    if (outline.trace.is_input(i) || outline.trace.keys[i].op == Op::cut) continue;
    Place place{name_of_trace(entry.trace.id), place_of(entry, i, lines), print_record(outline.trace, i)};
    bool placed = false;
    for (std::size_t g = 0; g < outline.groups.size(); ++g) {  // a cheap value may be computed in several
      const PlanOutline::Group& group = outline.groups[g];
      if (std::ranges::find(group.records, i) == group.records.end()) continue;
      place.group = static_cast<int>(g);
      place.library = group.library;
      place.code = group.code;
      places.push_back(place);
      placed = true;
    }
    if (!placed) places.push_back(std::move(place));
  }
  return places;
}

std::string code_of(const Place& place) {
  if (place.group < 0) return "no code";
  if (place.library) return fmt::format("group {}, library", place.group);
  return place.code < 0 ? fmt::format("group {}", place.group) : fmt::format("group {}, group_{}", place.group, place.code);
}

}  // namespace

void add_map(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("map", "source line, op, fused loop, machine code, both ways");
  auto arguments = std::make_shared<TraceArguments>();
  command->add_option("id", arguments->id, "a trace such as t17, or a line such as model.cpp:42")->required();
  command->add_option("run", arguments->run, "a log file or the process id of a run (default: the latest)");
  command->add_flag("--json", arguments->json, "as one line of JSON");
  command->callback([arguments] {
    const runlog::Run run = open_run(arguments->run);
    SourceLines lines(run);
    std::vector<Place> places;
    if (is_id(arguments->id)) {
      places = places_of(trace_named(run, arguments->id), lines);
    } else {
      for (const runlog::TraceEntry& entry : run.traces)
        for (Place& place : places_of(entry, lines))
          if (place.site == arguments->id) places.push_back(std::move(place));
      if (places.empty()) usage_error("no op of this run was issued at '{}'; lines look like model.cpp:42", arguments->id);
    }
    if (arguments->json) {
      Json list = Json::array();
      for (const Place& place : places)
        list.push_back({{"trace", place.trace},
                        {"site", place.site},
                        {"op", place.op},
                        {"group", place.group},
                        {"kind", place.group < 0 ? "none"
                                 : place.library ? "library"
                                                 : "loop"},
                        {"code", place.code < 0 ? "" : fmt::format("group_{}", place.code)}});
      print_json({{"places", list}});
      return;
    }
    for (const Place& place : places)
      fmt::print("{}\n", painted(cut_to_width(fmt::format("{:>5} {:<24} {:<20} {}", place.trace, cut_to_width(place.site, 24),
                                                          code_of(place), place.op))));
    fmt::print("the code of a loop: swage trace ir {} --stage=asm\n", places.empty() ? "ID" : places.front().trace);
  });
}

}  // namespace swage::tool
