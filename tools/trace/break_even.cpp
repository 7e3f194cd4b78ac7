// `swage trace break-even`: whether compiling has paid.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tools/cli/paint.hpp>
#include <tools/trace/answers.hpp>
#include <tools/trace/commands.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

struct Balance {
  const runlog::TraceEntry* trace;
  const runlog::PlanEntry* plan;
  double cost_ms = 0;     // all its compilations
  double gain_us = 0;     // of one run, as far as known
  double runs_until = 0;  // hits until it pays; infinite where it does not
  std::string verdict;
};

std::vector<Balance> balances(const runlog::Run& run) {
  std::vector<Balance> list;
  for (const runlog::TraceEntry& trace : run.traces) {
    if (trace.plans.empty()) continue;
    const runlog::TraceFigures& f = trace.figures;
    Balance balance{&trace, plan_of(trace), 0, f.saving_ns * 1e-3, 0, {}};
    for (const runlog::PlanEntry& plan : trace.plans) balance.cost_ms += plan.ms;
    balance.runs_until = balance.gain_us > 0 ? std::ceil(balance.cost_ms * 1e3 / balance.gain_us) : INFINITY;
    const auto hits = static_cast<double>(f.hits);
    if (f.eager_best_ns == 0 || f.plan_best_ns == 0)
      balance.verdict = "not known: it was not timed both ways";
    else if (!(balance.gain_us > 0))
      balance.verdict = "losing: a run as a plan saves nothing";
    else if (hits >= balance.runs_until)
      balance.verdict = fmt::format("has paid: {:.1f} ms saved", hits * balance.gain_us * 1e-3 - balance.cost_ms);
    else
      balance.verdict = fmt::format("not yet: pays after {:.0f} more runs", balance.runs_until - hits);
    list.push_back(std::move(balance));
  }
  std::ranges::stable_sort(list, std::ranges::greater(), &Balance::cost_ms);
  return list;
}

}  // namespace

Json answer_break_even(const runlog::Run& run) {
  Json list = Json::array();
  for (const Balance& b : balances(run))
    list.push_back({{"plan", fmt::format("p{}", b.plan->id)},
                    {"trace", name_of_trace(b.trace->trace.id)},
                    {"cost_ms", b.cost_ms},
                    {"gain_us", b.gain_us},
                    {"hits", b.trace->figures.hits},
                    {"break_even_hits", std::isfinite(b.runs_until) ? Json(b.runs_until) : Json()},
                    {"verdict", b.verdict}});
  return {{"plans", list}};
}

void add_break_even(CLI::App& trace) {
  CLI::App* const command = trace.add_subcommand("break-even", "per plan: what it cost, what a run gains, whether it has paid");
  auto arguments = take_run(*command);
  command->callback([arguments] {
    const runlog::Run run = open_run(arguments->run);
    if (arguments->json) {
      print_json(answer_break_even(run));
      return;
    }
    const auto list = balances(run);
    if (list.empty()) {
      fmt::print("no plan was made\n");
      return;
    }
    fmt::print("{}", inked(Ink::heading, fmt::format("{:>6} {:>6} {:>9} {:>10} {:>9} {:>10}  verdict\n", "plan", "trace",
                                                     "cost", "gain a run", "hits", "pays after")));
    for (const Balance& b : list)
      fmt::print("{}\n", painted(cut_to_width(fmt::format(
                                     "{:>6} {:>6} {:>7.1f}ms {:>8.1f}us {:>9} {:>10}  {}", fmt::format("p{}", b.plan->id),
                                     name_of_trace(b.trace->trace.id), b.cost_ms, b.gain_us, b.trace->figures.hits,
                                     std::isfinite(b.runs_until) ? fmt::format("{:.0f}", b.runs_until) : "never", b.verdict)),
                                 {{"has paid", Ink::good}, {"losing", Ink::bad}, {"not yet", Ink::bad}}));
  });
}

}  // namespace swage::tool
