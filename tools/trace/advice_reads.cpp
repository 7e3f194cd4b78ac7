// Advice on reads of the host.
#include <map>

#include <fmt/format.h>

#include <runtime/ops/attributes.hpp>
#include <tools/trace/advice.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

// What a read costs: a window is closed, recognised and run, and nothing fuses across it. Measured: 0.3 to 1 us beside the arithmetic.
constexpr double kReadUs = 0.5;

bool ends_by_read(const Trace& trace) {
  if (trace.keys.empty() || trace.keys.back().op != Op::cut) return false;
  const auto& ints = attribute_of(trace.keys.back().attr).ints;
  return ints.size() == 1 && ints[0] == static_cast<std::int64_t>(CutReason::host_read);
}

// Whether the two do something else, not the same with other sizes.
bool differ_in_ops(const runlog::TraceEntry* a, const runlog::TraceEntry* b) {
  if (!a || !b) return false;
  const std::size_t n = std::min(a->trace.size(), b->trace.size());
  for (std::size_t i = 0; i < n; ++i) {
    const KeyHalf &x = a->trace.keys[i], &y = b->trace.keys[i];
    if (x.op != y.op || x.flags != y.flags) return true;
    if (!(x == y)) return false;
  }
  return a->trace.size() != b->trace.size();
}

struct Reads {
  std::uint64_t windows = 0, hits = 0, turns = 0;
  std::size_t ops = 0;  // of all these windows
  const runlog::TraceEntry* most = nullptr;
  std::string one, other;  // where the ways part
};

std::string first_op_line(const runlog::TraceEntry& trace, SourceLines& lines) {
  for (RecordIndex i = 0; i < trace.trace.size(); ++i)
    if (!trace.trace.is_input(i)) return place_of(trace, i, lines);
  return place_of(trace, 0, lines);
}

}  // namespace

Advices host_reads(const runlog::Run& run, SourceLines& lines) {
  std::map<std::string, Reads> by_line;
  for (const runlog::TraceEntry& trace : run.traces) {
    if (!ends_by_read(trace.trace)) continue;
    Reads& reads = by_line[place_of(trace, static_cast<RecordIndex>(trace.trace.size() - 1), lines)];
    reads.windows += trace.figures.runs;
    reads.hits += trace.figures.hits;  // op by op, a read costs next to nothing
    reads.ops += trace.figures.runs * trace.trace.n_ops();
    if (!reads.most || trace.figures.runs > reads.most->figures.runs) reads.most = &trace;
    const runlog::TraceEntry *const next = run.find(trace.figures.next), *const other = run.find(trace.figures.other);
    if (!differ_in_ops(next, other)) continue;
    reads.turns += trace.figures.turns;
    reads.one = first_op_line(*next, lines);
    reads.other = first_op_line(*other, lines);
  }
  Advices found;
  for (const auto& [line, reads] : by_line) {
    Advice advice;
    advice.place = line;
    advice.id = name_of_trace(reads.most->trace.id);
    advice.gain_us = static_cast<double>(reads.hits) * kReadUs;
    const std::string often =
        fmt::format("{} windows of {:.0f} ops on average end here", reads.windows,
                    static_cast<double>(reads.ops) / static_cast<double>(std::max<std::uint64_t>(1, reads.windows)));
    constexpr double kTurnsOften = 0.25;  // an evaluation every few steps turns it too
    if (static_cast<double>(reads.turns) > kTurnsOften * static_cast<double>(reads.windows)) {
      advice.illness = "branch-on-data";
      advice.what = "the program reads a value and branches on it, and keeps changing its mind";
      advice.evidence = fmt::format("{}; what comes next has changed {} times, between {} and {}", often, reads.turns,
                                    reads.one, reads.other);
      advice.cure = "compute both ways and take where(condition, a, b), or sort samples by their way first";
    } else {
      advice.illness = "host-read";
      advice.what = "the host reads a value inside the loop";
      advice.evidence = often + "; each read waits, and nothing fuses across it";
      advice.cure = "keep the value in a tensor and read it every so many steps, or after the loop";
    }
    found.push_back(std::move(advice));
  }
  return found;
}

}  // namespace swage::tool
