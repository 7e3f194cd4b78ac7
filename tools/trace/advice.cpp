// `swage trace advice`: what to change, the largest gain first.
#include <tools/trace/advice.hpp>

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cli/paint.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

double run_us(const runlog::Run& run) { return static_cast<double>(run.last_ns) * 1e-3; }

double gain_percent(const Advice& advice, const runlog::Run& run) {
  return std::min(99.0, 100 * advice.gain_us / std::max(1.0, run_us(run)));
}

}  // namespace

double bytes_of(const Trace& trace, RecordIndex record) {
  const ViewDesc& desc = desc_of(trace.results[record]);
  return static_cast<double>(desc.numel()) * static_cast<double>(size_of(desc.dtype));
}

Advices advise(const runlog::Run& run, SourceLines& lines) {
  constexpr double kWorthwhile = 0.03;  // of the run
  Advices all;
  for (const auto find : {host_reads, unread_results, borrowed_memory, writes_between, growing_tensors, changing_structure,
                          plans_that_do_not_pay})
    std::ranges::move(find(run, lines), std::back_inserter(all));
  std::erase_if(all, [&](const Advice& advice) { return advice.gain_us < kWorthwhile * run_us(run); });
  std::ranges::stable_sort(all, std::ranges::greater(), &Advice::gain_us);
  return all;
}

Json answer_advice(const runlog::Run& run, SourceLines& lines) {
  Json list = Json::array();
  for (const Advice& advice : advise(run, lines))
    list.push_back({{"illness", advice.illness},
                    {"site", advice.place},
                    {"trace", advice.id},
                    {"gain_us", advice.gain_us},
                    {"gain_percent", gain_percent(advice, run)},
                    {"what", advice.what},
                    {"evidence", advice.evidence},
                    {"cure", advice.cure}});
  return {{"advice", list}};
}

void add_advice(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("advice", "what to change, by expected gain, with evidence and line");
  auto arguments = take_run(*command);
  auto count = std::make_shared<std::size_t>(20);
  command->add_option("-n,--count", *count, "how many (default 20; --json has all)");
  command->callback([=] {
    const runlog::Run run = open_run(arguments->run);
    SourceLines lines(run);
    if (arguments->json) {
      print_json(answer_advice(run, lines));
      return;
    }
    const Advices list = advise(run, lines);
    if (list.empty()) {
      fmt::print("no advice: nothing was found that would spare this run a thirtieth of its time\n");
      return;
    }
    for (std::size_t i = 0; i < std::min(*count, list.size()); ++i) {
      const Advice& advice = list[i];
      std::string text = wrapped(fmt::format("{}. {}: {} ({}; about {:.0f} % of the run)", i + 1, advice.place, advice.what,
                                             advice.illness, gain_percent(advice, run)),
                                 3);
      text += wrapped("   why   " + advice.evidence, 9) + wrapped("   do    " + advice.cure, 9);
      if (!advice.id.empty()) text += wrapped(fmt::format("   see   swage trace show {}", advice.id), 9);
      fmt::print("{}", painted(text, {{advice.place, Ink::heading}}));
    }
  });
}

}  // namespace swage::tool
