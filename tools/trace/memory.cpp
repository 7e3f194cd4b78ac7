// `swage trace memory`: a plan's arena over its life.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {

void add_memory(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("memory", "the arena of a plan over its life: the peak, and who holds it");
  auto arguments = take_id_and_run(*command);
  command->callback([arguments] {
    const runlog::Run run = open_run(arguments->run);
    const runlog::TraceEntry& entry = trace_named(run, arguments->id);
    const PlanOutline outline = outline_of(entry);
    SourceLines lines(run);
    std::vector<std::size_t> live(outline.groups.size());
    for (const PlanOutline::Buffer& buffer : outline.arena)
      for (int g = buffer.first; g <= buffer.last; ++g) live[static_cast<std::size_t>(g)] += buffer.bytes;
    const auto peak = std::ranges::max_element(live);
    const int at = live.empty() ? 0 : static_cast<int>(peak - live.begin());
    std::vector<const PlanOutline::Buffer*> holders;
    for (const PlanOutline::Buffer& buffer : outline.arena)
      if (buffer.first <= at && at <= buffer.last) holders.push_back(&buffer);
    std::ranges::stable_sort(holders, std::ranges::greater(), &PlanOutline::Buffer::bytes);
    if (arguments->json) {
      auto buffers = nlohmann::ordered_json::array();
      for (const PlanOutline::Buffer& buffer : outline.arena)
        buffers.push_back({{"record", buffer.storage},
                           {"bytes", buffer.bytes},
                           {"offset", buffer.offset},
                           {"first_group", buffer.first},
                           {"last_group", buffer.last},
                           {"site", place_of(entry, buffer.storage, lines)}});
      fmt::print("{}\n", nlohmann::ordered_json({{"id", name_of_trace(entry.trace.id)},
                                                 {"arena_bytes", outline.arena_bytes},
                                                 {"peak_bytes", live.empty() ? 0 : *peak},
                                                 {"peak_group", at},
                                                 {"live_bytes", live},
                                                 {"buffers", buffers}})
                             .dump());
      return;
    }
    const std::string name = name_of_trace(entry.trace.id);
    if (outline.arena.empty()) {
      fmt::print("{}: nothing lives only inside the plan, so it has no arena\n", name);
      return;
    }
    fmt::print("{}: an arena of {} bytes; at most {} are in use at once, in group {} of {}\n", name, outline.arena_bytes, *peak,
               at, outline.groups.size());
    fmt::print("who holds the peak\n");
    for (const PlanOutline::Buffer* const buffer : holders)
      fmt::print("{}\n", cut_to_width(fmt::format("  {:>10} bytes  groups {:>3} to {:>3}  {}  {}", buffer->bytes, buffer->first,
                                                  buffer->last, print_record(outline.trace, buffer->storage),
                                                  place_of(entry, buffer->storage, lines))));
    fmt::print("in use, group by group\n");
    for (std::size_t g = 0; g < live.size(); ++g)
      fmt::print("  {:>3} {:>10} {}\n", g, live[g], std::string(*peak ? live[g] * 60 / *peak : 0, '#'));
  });
}

}  // namespace swage::tool
