// What the engine learns from a window that ended: which traces to keep, to compile, to drop.
#include <algorithm>

#include <runtime/engine/event_log.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {

void Stream::Impl::ran_eagerly(KnownTrace& known) {
  ++known.history.runs;
  known.seen.merge(escapes());
  if (timing && kernel_ns > 0) {
    ++known.timed_runs;
    known.history.eager_ns += (kernel_ns - known.history.eager_ns) / known.timed_runs;
  }
  tracking_backoff.succeeded();
  consider(known);
}

// Nothing enters the trie until its hash has been seen often enough.
void Stream::Impl::keep_window() {
  const EngineOptions& options = engine.options;
  std::uint64_t hash = 0;
  for (const KeyHalf& key : window.keys) hash = mix_key(hash, key);
  const std::uint64_t short_hash = options.hash_bits >= 64 ? hash : hash & ((std::uint64_t{1} << options.hash_bits) - 1);
  if (sightings.size() >= 1 << 16) sightings.clear();
  if (++sightings[short_hash] < options.runs_before_keeping) {
    tracking_backoff.failed();
    return;
  }
  // The cursor may have been lost on the way (an op that raised), and yet the window be a known one.
  Cursor cursor;
  if (std::ranges::all_of(window.keys, [&](const KeyHalf& key) { return trie.advance(cursor, key); })) {
    ran_eagerly(*cursor.trace);
    return;
  }
  tracking_backoff.succeeded();
  if (trie.traces().size() >= options.max_traces) {
    event_log().add(EventCode::evicted, 0, 0, static_cast<std::uint32_t>(trie.traces().size()));
    for (const auto& known : trie.traces()) known->dropped = true;
    trie.clear();
  }
  auto known = std::make_shared<KnownTrace>();
  known->trace.id = next_trace_id();
  known->trace.keys = window.keys;
  known->trace.results = window.results;
  for (const ValueHalf& half : window.values) known->trace.sites.push_back(half.site);
  complete(known->trace);
  known->history.runs = 1;
  known->history.ops = static_cast<std::uint32_t>(known->trace.n_ops());
  known->seen = escapes();
  if (touches_at_once) {
    known->history.compilable = false;
    known->refusal = "it touches borrowed or exposed memory, whose ops run at once";
    event_log().add(EventCode::refused, known->trace.id);
  }
  counters.traces.add();
  event_log().add(EventCode::kept, known->trace.id);
  consider(trie.insert(std::move(known)));
}

void Stream::Impl::consider(KnownTrace& known) {
  if (!engine.queue || decide(known.history, engine.options) == Decision::none) return;
  known.history.requested = true;
  known.history.escapes_grew = false;
  known.history.runs_at_last_request = known.history.runs;
  const auto found =
      std::find_if(trie.traces().begin(), trie.traces().end(), [&](const auto& trace) { return trace.get() == &known; });
  engine.queue->submit({*found, known.seen, &self}, engine.options.background);
}

void Stream::Impl::adopt_plans() {
  constexpr std::uint32_t kMostFailures = 4;
  collected = engine.queue->finished();
  for (CompileOutcome& outcome : engine.queue->collect(&self)) {
    KnownTrace& known = *outcome.job.trace;
    if (known.dropped) continue;
    if (!outcome.error.empty()) {
      known.refusal = outcome.error;
      known.history.requested = known.plan != nullptr;
      if (++known.history.failures >= kMostFailures) {
        known.history.compilable = false;
        event_log().add(EventCode::refused, known.trace.id);
      }
      continue;
    }
    if (known.plan) trie.remove_plan(known);
    known.plan = std::move(outcome.result.plan);
    known.compile_ms = outcome.ms;
    known.groups = outcome.result.groups;
    known.fused_ops = outcome.result.fused_ops;
    known.library_calls = outcome.result.library_calls;
    known.notes = std::move(outcome.result.notes);
    known.outputs.clear();
    for (RecordIndex i = 0; i < known.trace.size(); ++i)
      if (known.plan->escapes().test(i)) known.outputs.push_back(i);
    trie.add_plan(known);
    event_log().add(EventCode::adopted, known.trace.id);
  }
}

}  // namespace swage
