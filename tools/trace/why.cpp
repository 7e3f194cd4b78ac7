// `swage trace why`: what a miss, an exit or a refusal is owed to.
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cli/paint.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

// Events with the same words.
struct Cause {
  const runlog::EventEntry* latest = nullptr;
  std::size_t count = 0;
  Explanation words;
};

std::vector<Cause> causes(const runlog::Run& run, const std::string& id, SourceLines& lines) {
  std::vector<Cause> found;
  if (names_event(id)) {
    const runlog::EventEntry& event = event_named(run, id);
    found.push_back({&event, 1, explain(run, event, lines)});
    return found;
  }
  const runlog::TraceEntry* const trace = id.empty() ? nullptr : &trace_named(run, id);
  std::map<std::string, std::size_t> places;
  for (const runlog::EventEntry& event : run.events) {
    if (!is_trouble(event) || (trace && event.trace != trace->trace.id)) continue;
    const Explanation words = explain(run, event, lines);
    const auto [place, is_new] = places.try_emplace(words.what + "\n" + words.why + "\n" + words.place, found.size());
    if (is_new) found.push_back({nullptr, 0, words});
    Cause& cause = found[place->second];
    cause.latest = &event;
    ++cause.count;
  }
  std::ranges::stable_sort(found, std::ranges::greater(), &Cause::count);
  return found;
}

std::string as_text(const std::vector<Cause>& causes, const std::string& nothing) {
  constexpr std::size_t kShown = 20;
  if (causes.empty()) return nothing + "\n";
  std::string text;
  for (std::size_t i = 0; i < std::min(causes.size(), kShown); ++i) {
    const Cause& cause = causes[i];
    const std::string times = cause.count > 1 ? fmt::format(", {} times", cause.count) : "";
    text += wrapped(fmt::format("m{}: {}{}", cause.latest->sequence, cause.words.what, times), 4);
    if (!cause.words.why.empty()) text += wrapped("    " + cause.words.why, 4);
    if (!cause.words.place.empty()) text += wrapped("    at " + cause.words.place, 4);
  }
  if (causes.size() > kShown) text += fmt::format("and {} others (--json has all)\n", causes.size() - kShown);
  return text;
}

}  // namespace

Json answer_why(const runlog::Run& run, const std::string& id, SourceLines& lines) {
  Json list = Json::array();
  for (const Cause& cause : causes(run, id, lines))
    list.push_back({{"id", fmt::format("m{}", cause.latest->sequence)},
                    {"event", name_of(*cause.latest)},
                    {"count", cause.count},
                    {"trace", name_of_trace(cause.latest->trace)},
                    {"position", cause.latest->position},
                    {"what", cause.words.what},
                    {"why", cause.words.why},
                    {"site", cause.words.place}});
  return {{"causes", list}};
}

void add_why(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("why", "what misses, exits, refusals are owed to: in words, with the line");
  auto arguments = std::make_shared<TraceArguments>();
  command->add_option("id", arguments->id, "an event such as m5, or a trace such as t17 (default: all)");
  command->add_option("run", arguments->run, "a log file or the process id of a run (default: the latest)");
  command->add_flag("--json", arguments->json, "as one line of JSON");
  command->callback([arguments] {
    // With one name, it may be the run's.
    if (arguments->run.empty() && !is_id(arguments->id)) std::swap(arguments->run, arguments->id);
    const runlog::Run run = open_run(arguments->run);
    SourceLines lines(run);
    if (arguments->json) {
      print_json(answer_why(run, arguments->id, lines));
      return;
    }
    const auto found = causes(run, arguments->id, lines);
    std::string nothing = "nothing was missed, left or refused";
    if (found.empty() && !arguments->id.empty()) nothing = state_of(trace_named(run, arguments->id)) + "; " + nothing;
    fmt::print("{}", painted(as_text(found, nothing)));
  });
}

}  // namespace swage::tool
