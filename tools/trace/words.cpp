#include <tools/trace/words.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <unistd.h>

#include <fmt/format.h>

#include <runtime/core/error.hpp>
#include <runtime/engine/event_words.hpp>
#include <tools/cli/usage.hpp>
#include <tools/trace/run.hpp>

namespace swage::tool {
std::string name_of(const runlog::EventEntry& event) {
  return event.code < kEventNames.size() ? std::string(kEventNames[event.code]) : "unknown";
}

bool is_trouble(const runlog::EventEntry& event) { return weight_of(code_of(event)) <= Weight::loss; }

Explanation explain(const runlog::Run& run, const runlog::EventEntry& event, SourceLines& lines) {
  const runlog::TraceEntry* const trace = run.find(event.trace);
  const EventWords words = words_for({code_of(event), event.trace, event.position, event.value, event.key,
                                      trace ? &trace->trace : nullptr, trace ? std::string_view(trace->refusal) : ""});
  std::string place;
  switch (blame_of(code_of(event))) {
    case Blame::nothing: break;
    case Blame::record:
      place = event.site != 0 ? lines.of(event.site) : trace ? place_of(*trace, event.position, lines) : "";
      break;
    case Blame::beginning: place = trace ? place_of(*trace, 0, lines) : ""; break;
  }
  return {words.what, words.why, place};
}

const runlog::PlanEntry* plan_of(const runlog::TraceEntry& trace) {
  return trace.plans.empty() ? nullptr : &trace.plans.back();
}

EscapeMask escapes_of(const runlog::TraceEntry& entry) {
  const runlog::PlanEntry* wide = nullptr;
  for (const runlog::PlanEntry& plan : entry.plans)
    if (!plan.tight) wide = &plan;
  if (wide) return wide->escapes;
  const Trace& trace = entry.trace;
  std::vector<bool> read(trace.size());
  for (RecordIndex i = 0; i < trace.size(); ++i)
    for (int k = 0; k < trace.keys[i].n_operands; ++k)
      if (trace.keys[i].operands[k].is_tensor() && trace.storages[i] != trace.storages[trace.operand(i, k)])
        read[trace.storages[trace.operand(i, k)]] = true;
  EscapeMask mask(trace.size());
  for (RecordIndex i = 0; i < trace.size(); ++i)
    if (!trace.is_input(i) && trace.keys[i].op != Op::cut && trace.storages[i] == i && !read[i]) mask.set(i);
  return mask;
}

std::string state_of(const runlog::TraceEntry& trace) {
  using Figures = runlog::TraceFigures;
  const std::uint32_t state = trace.figures.state;
  const runlog::PlanEntry* const plan = plan_of(trace);
  if (!trace.was_kept()) return "seen once, a sample of windows that did not repeat";
  if (state & Figures::kRefused) return "not compiled: " + (trace.refusal.empty() ? std::string("refused") : trace.refusal);
  if (state & Figures::kShelved) return "its plan waits: it was slower than its kernels one by one";
  if (plan && (state & Figures::kPlan))
    return fmt::format("{} ops fused in {} loops, {} library calls", plan->fused_ops, plan->groups, plan->library_calls);
  if (!trace.refusal.empty()) return "not compiled: " + trace.refusal;
  if (state & Figures::kPromised) return "known from an earlier process";
  return "runs op by op";
}

PlanOutline outline_of(const runlog::TraceEntry& trace) {
  try {
    return outline_plan(trace.trace, escapes_of(trace));
  } catch (const CompileError& error) {
    usage_error("{} cannot be compiled: {}", name_of_trace(trace.trace.id), error.what());
  }
}

std::string too_large_to_run(const Trace& trace) {
  constexpr double kCopies = 3, kShare = 0.5, kGiB = 1.0 / (1 << 30);  // contents, and a run's own, of inputs and results
  double bytes = 0;
  for (RecordIndex i = 0; i < trace.size(); ++i) {
    if (trace.storages[i] != i || trace.keys[i].op == Op::cut) continue;
    const ViewDesc& desc = desc_of(trace.results[i]);
    double span = 1;  // of an input, to its last element
    for (int d = 0; d < desc.rank(); ++d)
      span += static_cast<double>(std::max<std::int64_t>(0, desc.dims[d] - 1)) * std::abs(static_cast<double>(desc.strides[d]));
    bytes += std::max(span, static_cast<double>(desc.numel())) * static_cast<double>(size_of(desc.dtype));
  }
  const double room = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (bytes * kCopies <= room * kShare) return "";
  return fmt::format("its tensors take {:.1f} GiB, and running it {} times that; this machine has {:.1f} GiB", bytes * kGiB,
                     kCopies, room * kGiB);
}

std::string place_of(const runlog::TraceEntry& trace, RecordIndex i, SourceLines& lines) {
  const auto& sites = trace.trace.sites;
  if (sites.empty()) return "unknown place";
  const RecordIndex last = std::min<RecordIndex>(i, static_cast<RecordIndex>(sites.size() - 1));
  for (RecordIndex k = last + 1; k-- > 0;)
    if (sites[k].known()) return lines.of(sites[k]);
  for (RecordIndex k = last; k < sites.size(); ++k)
    if (sites[k].known()) return lines.of(sites[k]);
  return "unknown place";
}

std::vector<std::pair<std::string, std::size_t>> callers_of(const runlog::TraceEntry& trace, SourceLines& lines) {
  std::map<std::string, std::size_t> counts;
  for (RecordIndex i = 0; i < trace.trace.size(); ++i)
    if (!trace.trace.is_input(i) && trace.trace.keys[i].op != Op::cut && trace.trace.sites[i].known())
      ++counts[lines.of(trace.trace.sites[i])];
  std::vector<std::pair<std::string, std::size_t>> callers(counts.begin(), counts.end());
  std::ranges::stable_sort(callers, std::ranges::greater(), &std::pair<std::string, std::size_t>::second);
  return callers;
}

std::string wrapped(const std::string& text, std::size_t indent) {
  constexpr std::size_t kColumns = 100;
  std::string out;
  std::string line = text;
  while (line.size() > kColumns) {
    const std::size_t first = line.find_first_not_of(' ');
    std::size_t end = line.rfind(' ', kColumns);
    if (end == std::string::npos || end <= first) end = line.find(' ', kColumns);  // a word that is longer
    if (end == std::string::npos) break;
    out += line.substr(0, end) + "\n";
    line = std::string(indent, ' ') + line.substr(end + 1);
  }
  return out + line + "\n";
}

std::string cut_to_width(std::string line, std::size_t columns) {
  std::ranges::replace(line, '\n', ' ');
  if (line.size() > columns) line = line.substr(0, columns - 3) + "...";
  return line;
}

}  // namespace swage::tool
