// `swage trace lost`: what runs op by op though it need not, by the time that costs.
#include <algorithm>
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

struct Loss {
  std::string what, why, place;
  std::uint64_t count = 0;
  double us = 0;
  std::uint64_t event = 0;
};

// What a hit saves, as far as it has been measured.
double saving_us(const runlog::TraceEntry& trace) {
  const runlog::TraceFigures& f = trace.figures;
  const double measured = f.plan_best_ns > 0 && f.eager_best_ns > 0 ? f.eager_best_ns - f.plan_best_ns : f.saving_ns;
  return std::max(0.0, measured) * 1e-3;
}

// Misses, exits and storms, by what they are owed to. A window that left its path late costs what its plan would have saved.
std::vector<Loss> losses(const runlog::Run& run, SourceLines& lines) {
  std::map<std::string, Loss> found;
  for (const runlog::EventEntry& event : run.events) {
    const EventCode code = code_of(event);
    const bool lost = code == EventCode::missed || code == EventCode::side_exit || code == EventCode::check_failed ||
                      code == EventCode::escapes_grew || code == EventCode::storm || code == EventCode::shelved;
    if (!lost) continue;
    const Explanation words = explain(run, event, lines);
    Loss& loss = found[words.what + "\n" + words.why + "\n" + words.place];
    loss.what = words.what;
    loss.why = words.why;
    loss.place = words.place;
    loss.event = event.sequence;
    ++loss.count;
    if (const runlog::TraceEntry* const near = run.find(event.trace)) loss.us += saving_us(*near);
  }
  std::vector<Loss> list;
  list.reserve(found.size());
  for (auto& [key, loss] : found) list.push_back(std::move(loss));
  std::ranges::stable_sort(list, [](const Loss& a, const Loss& b) { return a.us != b.us ? a.us > b.us : a.count > b.count; });
  return list;
}

}  // namespace

Json answer_lost(const runlog::Run& run, SourceLines& lines) {
  Json list = Json::array();
  for (const Loss& loss : losses(run, lines))
    list.push_back({{"id", fmt::format("m{}", loss.event)},
                    {"count", loss.count},
                    {"lost_us", loss.us},
                    {"what", loss.what},
                    {"why", loss.why},
                    {"site", loss.place}});
  return {{"lost", list}};
}

void add_lost(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("lost", "deoptimisations, misses and storms, by the time they cost");
  auto arguments = take_run(*command);
  command->callback([arguments] {
    const runlog::Run run = open_run(arguments->run);
    SourceLines lines(run);
    if (arguments->json) {
      print_json(answer_lost(run, lines));
      return;
    }
    const std::vector<Loss> list = losses(run, lines);
    if (list.empty()) {
      fmt::print("nothing was lost: no window missed, left its path or waits for its plan\n");
      return;
    }
    constexpr std::size_t kShown = 20;
    fmt::print("{}", inked(Ink::heading, fmt::format("{:>10} {:>7}  what (times as far as measured)\n", "lost", "times")));
    for (std::size_t i = 0; i < std::min(kShown, list.size()); ++i) {
      const Loss& loss = list[i];
      fmt::print("{}", painted(wrapped(
                           fmt::format("{:>8.1f}us {:>7}  m{}: {}{}{}{}{}", loss.us, loss.count, loss.event, loss.what,
                                       loss.why.empty() ? "" : "; ", loss.why, loss.place.empty() ? "" : "; at ", loss.place),
                           20)));
    }
    if (list.size() > kShown) fmt::print("and {} others (--json has all)\n", list.size() - kShown);
  });
}

}  // namespace swage::tool
