// `swage trace memory`: a plan's arena over its life.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cli/paint.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

struct Peak {
  std::vector<std::size_t> live;  // bytes in use, by group
  std::size_t bytes = 0;
  int group = 0;  // the first with so many
};

Peak peak_of(const PlanOutline& outline) {
  Peak peak;
  peak.live.resize(outline.groups.size());
  for (const PlanOutline::Buffer& buffer : outline.arena)
    for (int g = buffer.first; g <= buffer.last; ++g) peak.live[static_cast<std::size_t>(g)] += buffer.bytes;
  if (peak.live.empty()) return peak;
  const auto at = std::ranges::max_element(peak.live);
  peak.bytes = *at;
  peak.group = static_cast<int>(at - peak.live.begin());
  return peak;
}

}  // namespace

Json answer_memory(const runlog::TraceEntry& entry, const PlanOutline& outline, SourceLines& lines) {
  const Peak peak = peak_of(outline);
  Json buffers = Json::array();
  for (const PlanOutline::Buffer& buffer : outline.arena)
    buffers.push_back({{"record", buffer.storage},
                       {"bytes", buffer.bytes},
                       {"offset", buffer.offset},
                       {"first_group", buffer.first},
                       {"last_group", buffer.last},
                       {"site", place_of(entry, buffer.storage, lines)}});
  return {{"id", name_of_trace(entry.trace.id)},
          {"arena_bytes", outline.arena_bytes},
          {"peak_bytes", peak.bytes},
          {"peak_group", peak.group},
          {"live_bytes", peak.live},
          {"buffers", buffers}};
}

void add_memory(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("memory", "the arena of a plan over its life: the peak, and who holds it");
  auto arguments = take_id_and_run(*command);
  command->callback([arguments] {
    const runlog::Run run = open_run(arguments->run);
    const runlog::TraceEntry& entry = trace_named(run, arguments->id);
    const PlanOutline outline = outline_of(entry);
    SourceLines lines(run);
    if (arguments->json) {
      print_json(answer_memory(entry, outline, lines));
      return;
    }
    const Peak peak = peak_of(outline);
    std::vector<const PlanOutline::Buffer*> holders;
    for (const PlanOutline::Buffer& buffer : outline.arena)
      if (buffer.first <= peak.group && peak.group <= buffer.last) holders.push_back(&buffer);
    std::ranges::stable_sort(holders, std::ranges::greater(), &PlanOutline::Buffer::bytes);
    const std::string name = inked(Ink::id, name_of_trace(entry.trace.id));
    if (outline.arena.empty()) {
      fmt::print("{}: nothing lives only inside the plan, so it has no arena\n", name);
      return;
    }
    fmt::print("{}: an arena of {} bytes; at most {} are in use at once, in group {} of {}\n", name, outline.arena_bytes,
               peak.bytes, peak.group, outline.groups.size());
    fmt::print("{}", inked(Ink::heading, "who holds the peak\n"));
    for (const PlanOutline::Buffer* const buffer : holders)
      fmt::print("{}\n", cut_to_width(fmt::format("  {:>10} bytes  groups {:>3} to {:>3}  {}  {}", buffer->bytes, buffer->first,
                                                  buffer->last, print_record(outline.trace, buffer->storage),
                                                  place_of(entry, buffer->storage, lines))));
    fmt::print("{}", inked(Ink::heading, "in use, group by group\n"));
    for (std::size_t g = 0; g < peak.live.size(); ++g)
      fmt::print("  {:>3} {:>10} {}\n", g, peak.live[g], std::string(peak.bytes ? peak.live[g] * 60 / peak.bytes : 0, '#'));
  });
}

}  // namespace swage::tool
