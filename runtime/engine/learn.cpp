// What the engine learns from a window that ended: which traces to keep, to compile, to shelve, to drop.
#include <algorithm>
#include <bit>

#include <runtime/cache/stored_trace.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/engine/stream_impl.hpp>
#include <runtime/trace/family.hpp>

namespace swage {
namespace {

// What traces have in common that differ only in extents, layouts, literals and attributes.
std::uint64_t structure_of(const Trace& trace) {
  std::uint64_t hash = 0;
  for (KeyHalf key : trace.keys) {
    key.attr = 0;
    for (OperandKey& operand : key.operands) operand.desc = 0;
    hash = mix_key(hash, key);
  }
  return hash;
}

}  // namespace

std::size_t KnownTrace::bytes() const {
  constexpr std::size_t kPerRecord = sizeof(KeyHalf) + sizeof(DescId) + 2 * sizeof(RecordIndex) + sizeof(CallSite) + 1;
  std::size_t bytes = sizeof(KnownTrace) + trace.size() * kPerRecord + expected_.capacity() * sizeof(ExpectedRecord);
  for (const auto& macro : macros) bytes += macro->bytes();
  return bytes;
}

void KnownTrace::publish() const noexcept {
  if (!figures) return;
  using Figures = runlog::TraceFigures;
  figures->state = (has_plan() ? Figures::kPlan : 0u) | (shelved ? Figures::kShelved : 0u) |
                   (history.compilable ? 0u : Figures::kRefused) | (dropped ? Figures::kDropped : 0u) |
                   (promised ? Figures::kPromised : 0u);
  figures->runs = history.runs;
  figures->hits = hits;
  figures->side_exits = side_exits;
  figures->eager_ns = history.eager_ns;
  figures->eager_best_ns = history.eager_best_ns;
  figures->plan_best_ns = (tight.plan ? tight : wide).times.best_ns;
  figures->saving_ns = saving_ns;
  figures->last_window = last_used;
}

void KnownTrace::log_hits() noexcept {
  const std::uint64_t now_ns = nanoseconds_since_start();
  event_log().add_hits(trace.id, static_cast<std::uint32_t>(hits - logged_hits), logged_ns ? logged_ns : now_ns, now_ns);
  logged_hits = hits;
  logged_ns = now_ns;
}

void Stream::Impl::note_eager_time(TraceHistory& history) const {
  if (!timing || kernel_ns <= 0) return;
  history.eager_best_ns = history.timed_runs == 0 ? kernel_ns : std::min(history.eager_best_ns, kernel_ns);
  ++history.timed_runs;
  history.eager_ns += (kernel_ns - history.eager_ns) / history.timed_runs;
}

void Stream::Impl::ran_eagerly(KnownTrace& known) {
  TraceHistory& history = known.history;
  history.whole |= runs_whole;
  ++history.runs;
  known.last_used = window_count;
  known.seen.merge(escapes());
  note_eager_time(history);
  tracking_backoff.succeeded();
  if (known.shelved && history.runs >= history.resume_at) {
    known.shelved = false;
    known.wide.times = known.tight.times = {};
    trie.add_plan(known);
    event_log().add(EventCode::resumed, known.trace.id);
  }
  consider(known);
  known.publish();
}

// Nothing enters the trie until its hash has been seen often enough.
void Stream::Impl::keep_window() {
  const EngineOptions& options = engine.options;
  std::uint64_t hash = 0;
  for (const KeyHalf& key : window.keys) hash = mix_key(hash, key);
  const std::uint64_t short_hash = options.hash_bits >= 64 ? hash : hash & ((std::uint64_t{1} << options.hash_bits) - 1);
  if (sightings.size() >= 1 << 16) sightings.clear();
  const bool steady = steadiness.missed();
  const bool wanted = ++sightings[short_hash] >= options.runs_before_keeping || opens_many() || steady;
  const std::uint64_t outline = family_hash(window.keys);
  const std::shared_ptr<Family> family = trie.plans() > 0 ? families.find(window.keys, outline) : nullptr;
  const auto sibling = family && worth_planning(*family) ? family->planned() : nullptr;
  // Where sizes change at every step no window repeats, but the family does: the first of its traces is kept for that.
  if (family_sightings.size() >= 1 << 16) family_sightings.clear();
  const std::uint32_t alike = ++family_sightings[outline];
  const bool recurs = !sibling && alike >= 2 * options.runs_before_keeping && (timing || !options.weigh_cost);
  if (!wanted && !sibling && !recurs) {
    tracking_backoff.failed();
    note_beginning();
    log_unknown();
    return;
  }
  // The cursor may have been lost on the way (an op that raised), and yet the window be a known one.
  Cursor cursor;
  if (std::ranges::all_of(window.keys, [&](const KeyHalf& key) { return trie.advance(cursor, key); })) {
    ran_eagerly(*cursor.trace);
    return;
  }
  tracking_backoff.succeeded();
  std::shared_ptr<KnownTrace> known = new_known(window_trace());
  known->history.runs = recurs && known->ledger->compilations == 0 ? alike : 1;
  note_eager_time(known->history);
  known->seen = escapes();
  if (touches_at_once) {
    known->history.compilable = false;
    known->refusal = "it touches borrowed or exposed memory, whose ops run at once";
    event_log().store_refusal(known->trace.id, known->refusal);
    event_log().add(EventCode::refused, known->trace.id);
  }
  counters.traces.add();
  event_log().add(EventCode::kept, known->trace.id);
  trie.insert(known);
  families.join(known);
  if (sibling && known->history.compilable) {  // its code is there already, or will do for all that follow
    family->wrong /= 2;
    known->ahead = true;
    known->history.eager_ns = sibling->history.eager_ns;  // until it is timed
    known->history.eager_best_ns = sibling->history.eager_best_ns;
    known->history.requested = true;
    request(*known, known->seen, false);
  } else if (!plan_at_sight(known)) {
    consider(*known);
  }
  if (trie.traces().size() > options.max_traces || trie.bytes() > options.max_trace_bytes) make_room();
}

// The log gets to see some of the windows that are not kept, a few in a row each time their number has grown fourfold: whoever asks why
// nothing repeats can compare them.
void Stream::Impl::log_unknown() {
  constexpr std::uint64_t kFirst = 4, kInARow = 4;
  constexpr RecordIndex kLongest = 2048;
  const std::uint64_t n = unknown_windows++;
  const std::uint64_t power = std::bit_floor(n);
  if (n < kFirst || n - power >= kInARow || std::countr_zero(power) % 2 != 0 || window.size() > kLongest) return;
  Trace trace = window_trace();
  trace.id = next_trace_id();
  runlog::TraceFigures* const figures = event_log().store(trace);
  if (!figures) return;
  figures->state = runlog::TraceFigures::kSeen;
  figures->runs = 1;
}

// Whether many windows have begun like this one though none of them has recurred: one is kept for its forks to be found.
bool Stream::Impl::opens_many() {
  constexpr std::size_t kOpening = 16;  // records
  constexpr std::uint32_t kOften = 4;
  if (window.keys.size() <= kOpening) return false;
  const std::span opening = std::span(window.keys).first(kOpening);
  std::uint64_t hash = kOpening;
  for (const KeyHalf& key : opening) hash = mix_key(hash, key);
  if (++sightings[hash] < kOften) return false;
  Cursor cursor;
  return !std::ranges::all_of(opening, [&](const KeyHalf& key) { return trie.advance(cursor, key); });
}

Trace Stream::Impl::window_trace() const {
  Trace trace;
  trace.keys = window.keys;
  trace.results = window.results;
  for (const ValueHalf& half : window.values) trace.sites.push_back(half.site);
  complete(trace);
  return trace;
}

std::shared_ptr<KnownTrace> Stream::Impl::new_known(Trace trace) {
  auto known = std::make_shared<KnownTrace>();
  known->trace = std::move(trace);
  known->trace.id = next_trace_id();
  known->history.ops = static_cast<std::uint32_t>(known->trace.n_ops());
  known->history.whole = runs_whole;
  known->last_used = window_count;
  known->ledger = ledger_of(known->trace);
  known->figures = event_log().store(known->trace);
  return known;
}

std::shared_ptr<Ledger> Stream::Impl::ledger_of(const Trace& trace) {
  std::weak_ptr<Ledger>& entry = structures[structure_of(trace)];
  std::shared_ptr<Ledger> found = entry.lock();
  if (!found) entry = found = std::make_shared<Ledger>();
  return found;
}

// The known trace that a window which begins with `got` comes nearest to; null where none is known.
const KnownTrace* Stream::Impl::nearest(const KeyHalf& got) const {
  constexpr std::size_t kLookedAt = 64;
  const auto& traces = trie.traces();
  const KnownTrace* near = nullptr;
  for (std::size_t k = 0; k < std::min(traces.size(), kLookedAt); ++k) {
    const KnownTrace& known = *traces[traces.size() - 1 - k];
    if (same_family({known.trace.keys.data(), 1}, {&got, 1})) return &known;
    if (!near || known.last_used > near->last_used) near = &known;
  }
  return near;
}

// Drops known traces, the ones unused for longest first, down to seven eighths of the limits.
void Stream::Impl::make_room() {
  const EngineOptions& options = engine.options;
  stem_before = nullptr;
  const auto dropped = trie.evict(options.max_traces * 7 / 8, options.max_trace_bytes / 8 * 7);
  event_log().add(EventCode::evicted, 0, 0, static_cast<std::uint32_t>(dropped));
  std::erase_if(structures, [](const auto& entry) { return entry.second.expired(); });
  families.forget_expired();
}

void Stream::Impl::consider(KnownTrace& known) {
  if (!engine.queue || known.shelved) return;
  const auto elapsed = static_cast<double>(engine.options.clock());
  Ledger structure = *known.ledger;
  // Where the family's code is there already, this plan costs no more than putting it together, whatever making the code still owes.
  if (const double cost = known.family && known.history.whole ? known.family->assembly_ns() : 0; cost > 0)
    structure = {.last_cost_ns = cost, .compilations = 1};
  const Decision decision = decide(known.history, engine.options, structure, ledger, elapsed);
  if (decision == Decision::held_back && !known.ledger->storm) {
    known.ledger->storm = true;
    event_log().add(EventCode::storm, known.trace.id, 0, known.ledger->compilations);
  }
  if (decision != Decision::compile) return;
  known.ledger->storm = false;
  known.history.requested = true;
  known.history.escapes_grew = false;
  known.history.runs_at_last_request = known.history.runs;
  request(known, known.seen, false);
}

void Stream::Impl::request(KnownTrace& known, const EscapeMask& escapes, bool tight) {
  const auto found =
      std::find_if(trie.traces().begin(), trie.traces().end(), [&](const auto& trace) { return trace.get() == &known; });
  engine.queue->submit({*found, escapes, &self, tight, engine.options.clock, known.history.eager_ns},
                       engine.options.background);
}

void Stream::Impl::adopt_plans() {
  collected = engine.queue->finished();
  for (CompileOutcome& outcome : engine.queue->collect(&self)) {
    const bool first = ledger.compilations == 0;
    ledger.spent(outcome.ms * 1e6);
    // What was planned ahead is on its family's account: it neither lends to the structure's ledger nor borrows from it.
    if (!outcome.job.trace->ahead)
      outcome.job.trace->ledger->spent(structures_share(outcome.ms * 1e6, outcome.job.trace->history.ops, first));
    if (const KnownTrace& known = *outcome.job.trace; known.ahead && outcome.error.empty()) {
      if (outcome.result.generated == 0)
        known.family->paid(outcome.ms * 1e6);
      else
        ++known.family->generations;
    }
    if (outcome.error.empty() && outcome.result.generated == 0 && outcome.job.trace->family)
      outcome.job.trace->family->assembled_ns = outcome.ms * 1e6;
    if (!outcome.job.trace->dropped) adopt(outcome);
  }
}

void Stream::Impl::adopt(CompileOutcome& outcome) {
  constexpr std::uint32_t kMostFailures = 4;
  KnownTrace& known = *outcome.job.trace;
  if (!outcome.error.empty()) {
    if (outcome.job.tight) return;  // the wide plan goes on
    known.refusal = outcome.error;
    event_log().store_refusal(known.trace.id, known.refusal);
    known.history.requested = known.has_plan();
    if (++known.history.failures >= kMostFailures) {
      known.history.compilable = false;
      event_log().add(EventCode::refused, known.trace.id);
    }
    return;
  }
  event_log().store_plan(known.trace.id, outcome.result, outcome.job.tight, outcome.ms);
  AdoptedPlan& adopted = outcome.job.tight ? known.tight : known.wide;
  const bool counted = known.counted();
  adopted = {std::move(outcome.result.plan), {}, {}, static_cast<std::uint32_t>(outcome.result.pending_ops)};
  for (RecordIndex i = 0; i < known.trace.size(); ++i)
    if (adopted.plan->escapes().test(i)) adopted.outputs.push_back(i);
  known.compile_ms = outcome.ms;
  known.groups = outcome.result.groups;
  known.fused_ops = outcome.result.fused_ops;
  known.library_calls = outcome.result.library_calls;
  known.notes = std::move(outcome.result.notes);
  known.saving_ns = predicted_saving_ns(known.history);
  if (!counted && !known.shelved) trie.add_plan(known);
  known.publish();
  event_log().add(EventCode::adopted, known.trace.id, 0, outcome.job.tight);
}

// The wide plan wrote storages that nobody held. Where the same ones are left over many times in a row, a plan for what is held pays.
void Stream::Impl::wrote_more_than_needed(KnownTrace& known, std::uint64_t held) {
  constexpr std::uint32_t kInARow = 32, kMostRequests = 3;
  if (known.held != held) {
    known.held = held;
    known.held_for = 0;
  }
  if (++known.held_for != kInARow || known.tight_requests >= kMostRequests) return;
  ++known.tight_requests;
  request(known, escapes(), true);
}

// A plan has been timed: what it saves, and whether it stays.
void Stream::Impl::judge(KnownTrace& known, const AdoptedPlan& plan) {
  known.saving_ns = measured_saving_ns(known.history, plan.times);
  if (!engine.options.weigh_cost || !does_not_pay(known.history, plan.times)) return;
  const auto percent = static_cast<std::uint32_t>(100 * plan.times.best_ns / known.history.eager_best_ns);
  event_log().add(EventCode::shelved, known.trace.id, 0, percent);
  trie.remove_plan(known);
  known.shelved = true;
  drop_trace(known.trace);  // the next process is better off without
  if (shelve(known.history)) return;
  known.history.compilable = false;
  known.refusal = "its plans were slower than its kernels one by one";
  event_log().store_refusal(known.trace.id, known.refusal);
  known.wide = {};
  known.tight = {};
  known.publish();
  event_log().add(EventCode::refused, known.trace.id);
}

}  // namespace swage
