// From one process to the next. A plan that is published leaves its trace in the plan cache (compile_queue.cpp); here the next
// process finds it. Its plan is promised: the program defers along it from the first window on, and the plan is assembled of stored
// code when the program first reaches the end.
//
// What a process runs once, at its beginning (setting up, a first step), the next one runs at its beginning too. Those windows are
// noted, and compiled for the next process once the program has proved to repeat itself.
#include <algorithm>

#include <runtime/cache/plan_cache.hpp>
#include <runtime/cache/stored_trace.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {
namespace {

constexpr std::size_t kMostRemembered = 256;
constexpr std::uint32_t kBeginning = 8;  // windows
constexpr std::uint64_t kProved = 32;    // hits

}  // namespace

void Stream::Impl::remember() {
  remembered = true;
  if (engine.options.tier != Tier::compiled || !engine.options.remember || !engine.queue) return;
  std::uint32_t count = 0;
  for (StoredTrace& stored : load_traces(kMostRemembered)) {
    Cursor cursor;
    const auto& keys = stored.trace.keys;
    if (std::ranges::all_of(keys, [&](const KeyHalf& key) { return trie.advance(cursor, key); })) continue;
    const std::shared_ptr<KnownTrace> known = new_known(std::move(stored.trace));
    known->seen = std::move(stored.escapes);
    known->history.eager_ns = stored.eager_ns;
    known->history.requested = true;
    known->promised = true;
    trie.add_plan(trie.insert(known));
    families.join(known);
    counters.traces.add();
    ++count;
  }
  if (count > 0) event_log().add(EventCode::remembered, 0, 0, count);
}

// Keeps the promise, if the code is there; if not, the trace is one that has been hot before.
bool Stream::Impl::recall(KnownTrace& known) {
  if (!known.promised) return false;
  trie.remove_plan(known);
  known.promised = false;
  known.history.requested = false;
  const auto found =
      std::find_if(trie.traces().begin(), trie.traces().end(), [&](const auto& trace) { return trace.get() == &known; });
  CompileOutcome outcome =
      engine.queue->recall({*found, known.seen, &self, false, engine.options.clock, known.history.eager_ns});
  paused_ns += outcome.ms * 1e6;
  if (!outcome.result.plan) {
    event_log().remark(std::string(known.made_up ? "the code of a predicted" : "cache: the code of a remembered") +
                       " trace is not there: " + (outcome.error.empty() ? "it was dropped or rejected" : outcome.error));
    known.history.runs = engine.options.runs_before_compiling;
    if (!known.ahead) beginning.push_back(*found);
    known.ahead = false;
    return false;
  }
  known.history.requested = true;
  if (known.ahead) known.family->paid(outcome.ms * 1e6);
  adopt(outcome);
  return true;
}

// A trace that has just been kept gets a plan of what code there is: most of it, where a program has changed in one place. Code for
// the rest is asked for once it is hot, as ever. Where the program's thread has been held up for long enough, it waits until then.
bool Stream::Impl::plan_at_sight(const std::shared_ptr<KnownTrace>& known) {
  constexpr double kPerOp = 5e3;
  if (!engine.queue || !engine.options.weigh_cost || engine.options.tier != Tier::compiled) return false;
  if (!known->history.compilable || known->history.ops == 0 || trie.plans() == 0) return false;
  const auto elapsed_ns = static_cast<double>(engine.options.clock());
  if (!affords_pause(kPerOp * known->history.ops, paused_ns, elapsed_ns)) return false;
  CompileOutcome outcome =
      engine.queue->recall({known, known->seen, &self, false, engine.options.clock, known->history.eager_ns}, true);
  paused_ns += outcome.ms * 1e6;
  if (!outcome.result.plan) return false;
  known->history.requested = outcome.result.pending_ops == 0;
  adopt(outcome);
  return true;
}

void Stream::Impl::note_beginning() {
  if (noted >= kBeginning || engine.options.tier != Tier::compiled || !engine.queue) return;
  ++noted;
  if (touches_at_once || !plan_cache()) return;
  beginning.push_back(new_known(window_trace()));
  beginning.back()->seen = escapes();
}

void Stream::Impl::compile_beginning() {
  if (counters.hits.get() < kProved) return;
  for (const std::shared_ptr<KnownTrace>& noted_trace : std::exchange(beginning, {})) {
    Cursor cursor;
    const auto& keys = noted_trace->trace.keys;
    const bool is_known = std::ranges::all_of(keys, [&](const KeyHalf& key) { return trie.advance(cursor, key); });
    KnownTrace& known = is_known ? *cursor.trace : trie.insert(noted_trace);
    if (!is_known) {
      counters.traces.add();
      families.join(noted_trace);
    }
    if (known.history.requested || !known.history.compilable || known.history.ops == 0) continue;
    known.history.requested = true;
    known.history.runs_at_last_request = known.history.runs;
    request(known, known.seen, false);
  }
}

// As at the beginning of a process.
void Stream::Impl::forget() noexcept {
  trie.clear();
  families.clear();
  sightings.clear();
  family_sightings.clear();
  beginning.clear();
  steadiness = {};
  noted = 0;
  remembered = false;
}

}  // namespace swage
