// Advice on memory: what is written and never read, memory that the user holds, writes in the way of fusion.
#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include <tools/cli/usage.hpp>
#include <tools/trace/advice.hpp>
#include <tools/trace/run.hpp>
#include <tools/trace/words.hpp>

namespace swage::tool {
namespace {

// Writing a result into memory that is touched for the first time, and keeping its node on the tape.
constexpr double kUsPerFreshByte = 0.25e-3, kUsPerNode = 0.1;

struct Unread {
  double bytes = 0, us = 0;
  double most = 0;  // of one storage
  std::size_t storages = 0;
  std::string place, id;

  void add(double more_bytes, double more_us, const runlog::TraceEntry& trace, RecordIndex storage, SourceLines& lines) {
    if (more_bytes <= 0) return;
    bytes += more_bytes;
    us += more_us;
    ++storages;
    if (more_bytes <= most) return;
    most = more_bytes;
    place = place_of(trace, storage, lines);
    id = name_of_trace(trace.trace.id);
  }
};

}  // namespace

Advices unread_results(const runlog::Run& run, SourceLines& lines) {
  constexpr std::uint64_t kEnough = 4, kManyHeld = 16;
  constexpr double kNearlyAll = 0.9;
  Unread by_tape, by_handle, piled;
  for (const runlog::TraceEntry& trace : run.traces) {
    const auto hits = static_cast<double>(trace.figures.hits);
    for (const runlog::EscapeFigures& escape : trace.escapes) {
      if (escape.watched < kEnough) continue;
      const auto watched = static_cast<double>(escape.watched);
      const double bytes = bytes_of(trace.trace, escape.storage) * hits;
      const double tape = static_cast<double>(escape.dropped_by_tape) / watched;
      const double handle = static_cast<double>(escape.dropped) / watched;
      if (escape.most >= kManyHeld) {
        const double unread = 1 - static_cast<double>(escape.read) / watched;
        if (unread < kNearlyAll) continue;  // a history that is read
        piled.add(bytes * unread, bytes * unread * kUsPerFreshByte, trace, escape.storage, lines);
        continue;
      }
      by_tape.add(bytes * tape, (bytes * kUsPerByte + hits * kUsPerNode) * tape, trace, escape.storage, lines);
      by_handle.add(bytes * handle, bytes * kUsPerByte * handle, trace, escape.storage, lines);
    }
  }
  constexpr double kMb = 1e-6;
  Advices found;
  if (by_tape.storages > 0)
    found.push_back({"no-grad", "results are kept for a backward pass that never comes",
                     fmt::format("{} results, {:.1f} MB in all, were written for the tape alone and dropped with it, unread",
                                 by_tape.storages, by_tape.bytes * kMb),
                     "evaluate under `NoGradGuard no_grad;`, or detach() what is not differentiated", by_tape.place, by_tape.id,
                     by_tape.us});
  if (by_handle.storages > 0)
    found.push_back({"never-read", "results are held beyond their window and never read",
                     fmt::format("{} results, {:.1f} MB in all, were written because a handle held them, and dropped unread",
                                 by_handle.storages, by_handle.bytes * kMb),
                     "let handles go before the window ends: temporaries live to the end of their statement, so name a result, "
                     "then read it",
                     by_handle.place, by_handle.id, by_handle.us});
  if (piled.storages > 0)
    found.push_back({"piles-up", "results pile up that nothing reads",
                     fmt::format("{} results, {:.1f} MB in all, pile up: many are held at a time, and hardly any is read",
                                 piled.storages, piled.bytes * kMb),
                     "keep the last few only, or a copy on the host", piled.place, piled.id, piled.us});
  return found;
}

Advices borrowed_memory(const runlog::Run& run, SourceLines& lines) {
  struct Touched {
    double us = 0;
    std::uint64_t windows = 0;
    std::string id;
  };
  std::map<std::string, Touched> by_line;
  for (const runlog::TraceEntry& trace : run.traces) {
    const auto& keys = trace.trace.keys;
    const auto input =
        std::ranges::find_if(keys, [](const KeyHalf& key) { return key.op == Op::input && key.flags & KeyHalf::kAtOnce; });
    if (input == keys.end()) continue;
    // What a plan is expected to spare: a part of the kernels' time, and the way of each op to its kernel.
    const double saving = 0.3e-3 * trace.figures.eager_ns + 0.08 * static_cast<double>(trace.trace.n_ops());
    Touched& touched = by_line[place_of(trace, static_cast<RecordIndex>(input - keys.begin()), lines)];
    touched.us += saving * static_cast<double>(trace.figures.runs);
    touched.windows += trace.figures.runs;
    touched.id = name_of_trace(trace.trace.id);
  }
  Advices found;
  for (const auto& [line, touched] : by_line)
    found.push_back(
        {"borrowed-memory", "an op reads or writes memory that the program also has a pointer to",
         fmt::format("{} windows touch it, so that each of their ops ran at once and none was compiled", touched.windows),
         "copy it in once a step: from_blob(…) instead of borrow(…), clone() instead of mutable_data()", line, touched.id,
         touched.us});
  return found;
}

namespace {

struct Between {
  RecordIndex write = 0;
  std::string text;  // of that record
  double bytes = 0;
};

// A write in place of a part of a storage, after the loop that makes it and before another that reads it.
std::optional<Between> write_between(const PlanOutline& outline) {
  const Trace& trace = outline.trace;
  std::vector<int> group(trace.size(), -1);
  for (std::size_t g = 0; g < outline.groups.size(); ++g)
    if (!outline.groups[g].library)
      for (RecordIndex i : outline.groups[g].records) group[i] = static_cast<int>(g);
  std::optional<Between> largest;
  for (RecordIndex w = 0; w < trace.size(); ++w) {
    const RecordIndex storage = trace.storages[w];
    if (!trace.keys[w].in_place() || trace.is_input(storage) || group[storage] < 0 || group[storage] == group[w]) continue;
    const double bytes = bytes_of(trace, storage);
    if (bytes_of(trace, w) >= bytes) continue;
    bool read = false;
    for (RecordIndex i = w + 1; i < trace.size() && !read; ++i)
      for (int k = 0; k < trace.keys[i].n_operands && !read; ++k)
        read = group[i] >= 0 && group[i] != group[storage] && trace.keys[i].operands[k].is_tensor() &&
               trace.storages[trace.operand(i, k)] == storage;
    if (read && (!largest || bytes > largest->bytes)) largest = {w, print_record(trace, w), bytes};
  }
  return largest;
}

}  // namespace

Advices writes_between(const runlog::Run& run, SourceLines& lines) {
  constexpr std::size_t kLookedAt = 12;  // outlines take a while
  std::vector<const runlog::TraceEntry*> hot;
  for (const runlog::TraceEntry& trace : run.traces)
    if (trace.figures.hits > 0 && std::ranges::any_of(trace.trace.keys, &KeyHalf::in_place)) hot.push_back(&trace);
  const auto cost = [](const runlog::TraceEntry* trace) {
    return static_cast<double>(trace->figures.hits) * trace->figures.eager_ns;
  };
  std::ranges::stable_sort(hot, std::ranges::greater(), cost);
  if (hot.size() > kLookedAt) hot.resize(kLookedAt);
  Advices found;
  for (const runlog::TraceEntry* const trace : hot) {
    std::optional<Between> between;
    try {
      between = write_between(outline_of(*trace));
    } catch (const UsageError&) {
      continue;  // it is not compiled
    }
    if (!between) continue;
    found.push_back(
        {"write-in-place", "a write in place parts a chain of ops that would be one loop",
         fmt::format("{} writes a part of what the ops before it make and those behind it read: {:.1f} KB go through memory "
                     "between two loops, {} times",
                     between->text, between->bytes * 1e-3, trace->figures.hits),
         "make a new tensor: where(mask, value, x) or x * mask, which fuses", place_of(*trace, between->write, lines),
         name_of_trace(trace->trace.id), 2 * between->bytes * kUsPerByte * static_cast<double>(trace->figures.hits)});
  }
  return found;
}

}  // namespace swage::tool
