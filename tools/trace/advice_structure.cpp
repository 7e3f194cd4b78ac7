// Advice on structure that keeps changing.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include <runtime/engine/stream_impl.hpp>
#include <runtime/trace/difference.hpp>
#include <runtime/trace/family.hpp>
#include <tools/trace/advice.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {

namespace {

using Entries = std::vector<const runlog::TraceEntry*>;

// Of the trace that grows from run to run: the write that copies what there is into what is made anew, one larger.
struct Growth {
  Entries traces;  // of one family, in the order in which they came
  RecordIndex copy = 0;
  int dim = 0;
  std::int64_t from = 0, to = 0;
};

// Where record `i` copies an input into a part of a tensor made here: that input; else `i`.
RecordIndex copied_input(const Trace& trace, RecordIndex i) {
  const KeyHalf& key = trace.keys[i];
  if (key.op != Op::assign || !key.in_place() || !key.operands[1].is_tensor()) return i;
  const RecordIndex source = trace.operand(i, 1);
  return trace.is_input(source) && !trace.is_input(trace.storages[i]) ? source : i;
}

// The dimension along which all of these have grown, each beyond the one before; -1 where that is not so.
int growing_dim(const Entries& traces, RecordIndex input) {
  const auto dims_of = [&](const runlog::TraceEntry* trace) -> const Dims& {
    return desc_of(trace->trace.results[input]).dims;
  };
  int found = -1;
  for (int d = 0; d < dims_of(traces[0]).rank(); ++d) {
    bool grows = true, same = true;
    for (std::size_t k = 1; k < traces.size(); ++k) {
      grows = grows && dims_of(traces[k])[d] > dims_of(traces[k - 1])[d];
      same = same && dims_of(traces[k])[d] == dims_of(traces[k - 1])[d];
    }
    if (!grows && !same) return -1;
    if (grows) found = d;
  }
  return found;
}

std::vector<Growth> growths(const runlog::Run& run) {
  constexpr std::size_t kEnough = 4;
  std::map<std::uint64_t, Entries> families;
  for (const runlog::TraceEntry& trace : run.traces) families[family_hash(trace.trace.keys)].push_back(&trace);
  std::vector<Growth> found;
  for (auto& [hash, traces] : families) {
    const Trace& first = traces[0]->trace;
    std::erase_if(traces, [&](const runlog::TraceEntry* trace) { return !same_family(first.keys, trace->trace.keys); });
    if (traces.size() < kEnough) continue;
    for (RecordIndex i = 0; i < first.size(); ++i) {
      const RecordIndex input = copied_input(first, i);
      const int dim = input == i ? -1 : growing_dim(traces, input);
      if (dim < 0) continue;
      const auto extent = [&](const runlog::TraceEntry* trace) { return desc_of(trace->trace.results[input]).dims[dim]; };
      found.push_back({traces, i, dim, extent(traces.front()), extent(traces.back())});
      break;
    }
  }
  return found;
}

std::set<std::uint32_t> growing_traces(const runlog::Run& run) {
  std::set<std::uint32_t> ids;
  for (const Growth& growth : growths(run))
    for (const runlog::TraceEntry* const trace : growth.traces) ids.insert(trace->trace.id);
  return ids;
}

double uncompiled_ops(const runlog::Run& run) {
  const runlog::Run::Stream sums = run.all_streams();
  return static_cast<double>(sums.ops - std::min(sums.ops, sums.compiled_ops));
}

// Windows that the engine has ended itself where a path goes on in many ways.
double windows_ended_at_forks(const runlog::Run& run) {
  double windows = 0;
  for (const runlog::TraceEntry& trace : run.traces)
    if (trace.trace.size() > 0 && trace.trace.keys.back() == cut_key(kFork)) windows += static_cast<double>(trace.figures.hits);
  return windows;
}

// The compile thread takes what others leave: on a busy machine its time is no measure of its work. Twice what it takes on an idle one.
double compile_ms_at_most(const Trace& trace) { return 4 + 0.4 * static_cast<double>(trace.n_ops()); }

// What a window costs beside its ops, and an op that runs by itself beside one in a plan, its arithmetic apart. Measured.
constexpr double kUsPerWindow = 0.5, kUsPerOp = 0.08;

// The ops of a trace, whatever their order.
std::uint64_t contents_of(const Trace& trace) {
  std::uint64_t sum = 0;
  for (KeyHalf key : trace.keys) {
    for (OperandKey& operand : key.operands)
      if (operand.is_tensor() || key.op == Op::input) operand.ref = 1;
    sum += mix_key(0, key);
  }
  return sum;
}

enum class Change { none, order, attribute, extents, ops };

struct Difference {
  Change change = Change::none;
  RecordIndex at = 0;
};

Difference difference_between(const Trace& a, const Trace& b) {
  const std::size_t n = std::min(a.size(), b.size());
  for (RecordIndex i = 0; i < n; ++i) {
    const KeyHalf &x = a.keys[i], &y = b.keys[i];
    if (x == y) continue;
    if (a.size() == b.size() && contents_of(a) == contents_of(b)) return {Change::order, i};
    if (x.op != y.op || x.flags != y.flags || x.n_operands != y.n_operands) return {Change::ops, i};
    if (same_family({&x, 1}, {&y, 1})) return {same_family(a.keys, b.keys) ? Change::extents : Change::ops, i};
    bool same_operands = true;
    for (int k = 0; k < 3; ++k) same_operands = same_operands && x.operands[k] == y.operands[k];
    return {x.attr != y.attr && same_operands ? Change::attribute : Change::ops, i};
  }
  return a.size() == b.size() ? Difference{} : Difference{Change::ops, static_cast<RecordIndex>(n)};
}

struct Changes {
  std::size_t count = 0;
  const runlog::TraceEntry *one = nullptr, *other = nullptr;
  RecordIndex at = 0;
};

Advice advice_on(Change change, const Changes& changes, std::size_t samples, SourceLines& lines) {
  const runlog::TraceEntry &one = *changes.one, &other = *changes.other;
  const bool inside = changes.at < std::min(one.trace.size(), other.trace.size());
  Advice advice;
  advice.place = place_of(other, changes.at, lines);
  advice.id = name_of_trace(other.trace.id);
  advice.evidence = fmt::format("of {} windows looked at none repeated; {} and {} part at record {}: {}", samples,
                                name_of_trace(one.trace.id), advice.id, changes.at,
                                inside ? describe_difference(one.trace.keys[changes.at], other.trace.keys[changes.at])
                                       : std::string("one goes on where the other ends"));
  switch (change) {
    case Change::order:
      advice.illness = "unordered";
      advice.what = "the same ops are issued in another order each time";
      advice.evidence += "; both do the same ops in all";
      advice.cure = "go through the items in a fixed order: a vector, a std::map, or sorted keys";
      break;
    case Change::attribute:
      advice.illness = "changing-axis";
      advice.what =
          fmt::format("an axis or another constant of {} is another one each time", name_of(other.trace.keys[changes.at].op));
      advice.cure = "keep it fixed: bring the data into one layout first (transpose or permute), or do all cases and select";
      break;
    case Change::extents:
      advice.illness = "changing-sizes";
      advice.what = "sizes change from step to step in a way that no plan covers";
      advice.cure = "pad to a few sizes, with a mask";
      break;
    default:
      advice.illness = "changing-structure";
      advice.what = "no two steps do the same ops";
      advice.cure = "end a window (swage::step()) around the parts that do repeat, so that those are compiled";
  }
  return advice;
}

}  // namespace

Advices growing_tensors(const runlog::Run& run, SourceLines& lines) {
  Advices found;
  for (const Growth& growth : growths(run)) {
    double us = 0;
    for (const runlog::TraceEntry* const trace : growth.traces) {
      const double bytes = bytes_of(trace->trace, growth.copy);
      const auto runs = static_cast<double>(trace->figures.runs), hits = static_cast<double>(trace->figures.hits);
      us += runs * 2 * bytes * kUsPerByte + std::max(0.0, runs - hits) * static_cast<double>(trace->trace.n_ops()) * kUsPerOp;
      for (const runlog::PlanEntry& plan : trace->plans) us += 1e3 * std::min(plan.ms, compile_ms_at_most(trace->trace));
    }
    const runlog::TraceEntry& last = *growth.traces.back();
    found.push_back(
        {"grows", "a tensor grows: whatever it holds is copied each time",
         fmt::format("record {} copies what is there into a tensor that is made anew: {} elements along dimension {} at "
                     "first, {} now, in {} traces of one structure",
                     growth.copy, growth.from, growth.dim, growth.to, growth.traces.size()),
         "make it once at its full size and write rows in place: narrow(d, i, 1).copy_(row)",
         place_of(last, growth.copy, lines), name_of_trace(last.trace.id), us});
  }
  return found;
}

Advices changing_structure(const runlog::Run& run, SourceLines& lines) {
  constexpr std::size_t kEnough = 4, kBack = 4;
  const std::set<std::uint32_t> growing = growing_traces(run);
  std::set<std::uint64_t> kept;  // a sample of these has repeated after all
  for (const runlog::TraceEntry& trace : run.traces)
    if (trace.was_kept()) kept.insert(trace.trace.hash);
  Entries samples;
  for (const runlog::TraceEntry& trace : run.traces)
    if (!trace.was_kept() && !growing.contains(trace.trace.id) && !kept.contains(trace.trace.hash)) samples.push_back(&trace);
  if (samples.size() < kEnough) return {};
  // Each beside those shortly before it: the least difference counts, for programs may do several things by turns.
  std::map<Change, Changes> found;
  for (std::size_t k = 1; k < samples.size(); ++k) {
    Difference least{Change::ops, 0};
    const runlog::TraceEntry* beside = samples[k - 1];
    for (std::size_t j = k - std::min(k, kBack); j < k; ++j) {
      const Difference difference = difference_between(samples[j]->trace, samples[k]->trace);
      if (difference.change == Change::none) continue;
      if (difference.change > least.change || (difference.change == least.change && difference.at <= least.at)) continue;
      least = difference;
      beside = samples[j];
    }
    Changes& changes = found[least.change];
    if (changes.count++ == 0) changes = {1, beside, samples[k], least.at};
  }
  // The most frequent kind: where one thing changes, what lies behind it often looks different too.
  const auto most = std::ranges::max_element(found, {}, [](const auto& entry) { return entry.second.count; });
  Advice advice = advice_on(most->first, most->second, samples.size(), lines);
  // Part of the time of what runs op by op, for fusion spares memory traffic too.
  constexpr double kOfKernels = 0.1;
  const double share = uncompiled_ops(run) / std::max(1.0, static_cast<double>(run.all_streams().ops));
  advice.gain_us = uncompiled_ops(run) * kUsPerOp + kOfKernels * share * static_cast<double>(run.last_ns) * 1e-3 +
                   windows_ended_at_forks(run) * kUsPerWindow;
  return {advice};
}

Advices plans_that_do_not_pay(const runlog::Run& run, SourceLines& lines) {
  // Those that may still pay are left alone: they are in use, or the run ended before they had the time to.
  constexpr double kIdle = 0.1;
  const std::set<std::uint32_t> growing = growing_traces(run);  // theirs is another trouble
  std::map<std::uint32_t, std::uint64_t> made;
  for (const runlog::EventEntry& event : run.events)
    if (code_of(event) == EventCode::compiled) made[event.trace] = event.ns;
  double latest = 0;  // window
  for (const runlog::TraceEntry& trace : run.traces) latest = std::max(latest, static_cast<double>(trace.figures.last_window));
  double spent_ms = 0, saved_ms = 0, worst = 0;
  std::size_t plans = 0;
  Advice advice;
  for (const runlog::TraceEntry& trace : run.traces) {
    using Figures = runlog::TraceFigures;
    double cost = 0, took = 0;
    for (const runlog::PlanEntry& plan : trace.plans) {
      took += plan.ms;
      cost += std::min(plan.ms, compile_ms_at_most(trace.trace));
    }
    const double saved = static_cast<double>(trace.figures.hits) * trace.figures.saving_ns * 1e-6;
    const bool waits = trace.figures.state & (Figures::kShelved | Figures::kRefused);
    const bool idle = static_cast<double>(trace.figures.last_window) < (1 - kIdle) * latest;
    const auto at = made.find(trace.trace.id);
    const bool had_time =
        at != made.end() && static_cast<double>(run.last_ns - std::min(run.last_ns, at->second)) * 1e-6 > took;
    if (trace.plans.empty() || saved >= cost || !(waits || (idle && had_time)) || growing.contains(trace.trace.id)) continue;
    spent_ms += cost;
    saved_ms += saved;
    plans += trace.plans.size();
    if (cost - saved <= worst) continue;
    worst = cost - saved;
    advice.id = name_of_trace(trace.trace.id);
    const auto callers = callers_of(trace, lines);
    advice.place = callers.empty() ? place_of(trace, 0, lines) : callers.front().first;
  }
  if (plans == 0) return {};
  advice.illness = "plan-does-not-pay";
  advice.what = "plans were compiled that did not pay for themselves";
  advice.evidence = fmt::format("{} plans took {:.1f} ms to make and have saved {:.1f} ms; they wait or are no longer in use",
                                plans, spent_ms, saved_ms);
  advice.cure = "give what runs briefly a structure that stays (one size, one depth with a mask), or run it in the eager tier";
  advice.gain_us = (spent_ms - saved_ms) * 1e3;
  return {advice};
}

}  // namespace swage::tool
