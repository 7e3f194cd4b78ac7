// Settling: what happens when a window ends, by a plan or by the interpreter.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/core/shared_buffer.hpp>
#include <runtime/engine/event_log.hpp>
#include <runtime/engine/registry.hpp>
#include <runtime/engine/snapshot.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {
namespace {

constexpr RecordIndex kNone = ~RecordIndex{0};

std::size_t storage_bytes(const Trace& trace, RecordIndex storage) {
  const ViewDesc& desc = desc_of(trace.results[storage]);
  return static_cast<std::size_t>(desc.numel()) * size_of(desc.dtype);
}

}  // namespace

KeyHalf cut_key(std::int64_t reason) {
  static const auto attributes = [] {
    std::array<AttrId, kFork + 1> ids;
    for (std::size_t k = 0; k < ids.size(); ++k) {
      Attribute attribute;
      attribute.ints = {static_cast<std::int64_t>(k)};
      ids[k] = intern(attribute);
    }
    return ids;
  }();
  KeyHalf key;
  key.op = Op::cut;
  key.attr = attributes[static_cast<std::size_t>(reason)];
  return key;
}

void Stream::Impl::end_window(std::int64_t reason, CallSite site) {
  if (!open) return;
  if (has_mail.load(std::memory_order_relaxed)) [[unlikely]]
    StreamRegistry::get().collect(self);
  if (mode == WindowMode::untracked || window.values.empty()) {
    close();
    return;
  }
  window.sync();
  const KeyHalf key = cut_key(reason);
  const ValueHalf half{nullptr, 0, {}, site};
  const bool known = window.on_path && trie.advance(window.cursor, key);
  if (mode == WindowMode::deferring) {
    if (known && !window.cursor.trace->shelved && (window.cursor.trace->has_plan() || recall(*window.cursor.trace))) {
      window.push(key, 0, half);
      if (run_plan(*window.cursor.trace)) {
        finish(window.cursor.trace, reason);
        return;
      }
      window.pop();
    }
    leave(known ? nullptr : &key, site);
  } else if (window.on_path && !known) {
    missed(key, site);
  }
  window.push(key, 0, half);
  finish(nullptr, reason);
}

// The storage, made in this window, that the living result of record i belongs to; kNone for inputs and the dead.
RecordIndex Stream::Impl::produced_storage(RecordIndex i) const {
  const Value* result = window.values[i].result;
  if (!result) return kNone;
  const Tag tag = tags(*result->owner()).storage;
  if (!window.tagged(tag)) return kNone;
  const RecordIndex storage = index_of(tag);
  return window.is_input(storage) ? kNone : storage;
}

EscapeMask Stream::Impl::escapes() const {
  EscapeMask mask(window.size());
  for (RecordIndex i = 0; i < window.size(); ++i)
    if (const RecordIndex storage = produced_storage(i); storage != kNone) mask.set(storage);
  return mask;
}

// The buffer of the storage that record i brings in, to be read and, where this window writes it, written.
void* Stream::Impl::input_buffer(RecordIndex i) const {
  Value& owner = *window.values[i].result->owner();
  if (owner.flags & kSharedBuffer) [[unlikely]]
    if (const Tag write = tags(owner).write; window.tagged(write)) before_write(owner, window.values[index_of(write)].site);
  return owner.data;
}

// Everything that can fail, before anything is written: the mask, memory, the plan's own checks. Fills `buffers` and `owners`; the
// plan to run, or null.
AdoptedPlan* Stream::Impl::acquire(KnownTrace& known) {
  const RecordIndex n = window.size();
  const Trace& trace = known.trace;
  owners.assign(n, nullptr);
  buffers.assign(n, nullptr);
  bool tight = known.tight.plan != nullptr;
  bool shared = false;
  std::size_t escaping = 0;
  std::uint64_t held = 0;
  for (RecordIndex i = 0; i < n; ++i) {
    if (!window.values[i].result) continue;  // most are dead; inputs never are
    if (trace.is_input(i)) {
      if (trace.storages[i] != i) continue;
      const Value& owner = *window.values[i].result->owner();
      buffers[i] = owner.data;
      shared = shared || owner.flags & kSharedBuffer;
      continue;
    }
    const RecordIndex storage = produced_storage(i);
    if (storage == kNone || owners[storage]) continue;
    if (!known.wide.plan->escapes().test(storage)) {
      event_log().add(EventCode::escapes_grew, trace.id, storage);
      known.seen.merge(escapes());
      known.history.escapes_grew = true;
      return nullptr;
    }
    tight = tight && known.tight.plan->escapes().test(storage);
    owners[storage] = window.values[i].result->owner();
    ++escaping;
    held += mix_word(0, storage);
  }
  AdoptedPlan& chosen = tight ? known.tight : known.wide;
  if (escaping < chosen.outputs.size()) wrote_more_than_needed(known, held);
  try {
    if (chosen.plan->arena_bytes() > arena_bytes) {
      free_buffer(arena, arena_bytes);
      arena = nullptr;
      arena_bytes = 0;
      arena = allocate_buffer(chosen.plan->arena_bytes());
      arena_bytes = chosen.plan->arena_bytes();
    }
    for (RecordIndex i = 0; shared && i < n; ++i)
      if (trace.is_input(i) && trace.storages[i] == i) buffers[i] = input_buffer(i);
    for (RecordIndex storage : chosen.outputs) buffers[storage] = allocate_buffer(storage_bytes(trace, storage));
  } catch (const MemoryError&) {
    for (RecordIndex storage : chosen.outputs) free_buffer(buffers[storage], storage_bytes(trace, storage));
    return nullptr;
  }
  if (auto failure = chosen.plan->check({window.values, buffers, arena})) {
    event_log().add(EventCode::check_failed, trace.id, failure->record);
    for (RecordIndex storage : chosen.outputs) free_buffer(buffers[storage], storage_bytes(trace, storage));
    return nullptr;
  }
  return &chosen;
}

bool Stream::Impl::run_plan(KnownTrace& known) {
  AdoptedPlan* const chosen = acquire(known);
  if (!chosen) return false;
  const bool timed = chosen->times.runs < kTimedRuns;
  if (timed) [[unlikely]] {
    const std::uint64_t start = engine.options.clock();
    chosen->plan->run({window.values, buffers, arena});
    const auto ns = static_cast<double>(engine.options.clock() - start);
    PlanTimes& times = chosen->times;
    times.best_ns = times.runs++ == 0 ? ns : std::min(times.best_ns, ns);
  } else {
    chosen->plan->run({window.values, buffers, arena});
  }
  for (RecordIndex storage : chosen->outputs) {
    const std::size_t bytes = storage_bytes(known.trace, storage);
    if (Value* owner = owners[storage]) {
      owner->data = buffers[storage];
      owner->bytes = bytes;
      owner->flags &= ~Value::kPending;
    } else {  // written, but nobody holds it this time
      free_buffer(buffers[storage], bytes);
    }
  }
  counters.ops.add(known.history.ops);
  counters.compiled_ops.add(known.history.ops - chosen->pending_ops);
  if (timed && chosen->times.runs == kTimedRuns) judge(known, *chosen);
  if (timed && chosen->pending_ops > 0 && known.history.timed_runs == 0)  // no less than its kernels would have taken
    known.history.eager_ns = chosen->times.best_ns;
  return true;
}

// Gives up deferring: runs what was deferred, in order, and goes on record by record. `got` is the record that no known path
// expected, or null where there is another reason and the window is still on its path.
void Stream::Impl::leave(const KeyHalf* got, CallSite site) {
  if (!window.values.empty()) {
    KnownTrace& known = *window.cursor.trace;
    ++known.side_exits;
    if (std::exchange(known.made_up, false)) ++known.family->wrong;
    counters.side_exits.add();
    deferral_backoff.failed();
    event_log().add(EventCode::side_exit, known.trace.id, window.size(), 0, got ? *got : KeyHalf{}, site);
    known.publish();
    RecordIndex done = 0;
    const std::uint64_t start = timing ? engine.options.clock() : 0;
    try {
      replay(done);
      if (timing) kernel_ns += static_cast<double>(engine.options.clock() - start);
    } catch (...) {
      give_back_draws(done);
      poison();
      close();
      throw;
    }
  }
  if (window.values.empty() && got) log_miss(*got, site);
  mode = WindowMode::running;
  deferring_since = make_tag(kNoEpoch, 0);
  window.disarm();
  if (got) window.leave_path();
}

void Stream::Impl::replay(RecordIndex& done) {
  const RecordIndex n = window.size();
  const Trace& trace = window.trace();
  const Interpreter interpreter(engine.kernels);
  buffers.assign(n, nullptr);
  owners.assign(n, nullptr);
  for (RecordIndex i = 0; i < n; ++i)
    if (const RecordIndex storage = produced_storage(i); storage != kNone) owners[storage] = window.values[i].result->owner();
  // Buffers whose owner died are freed after their last use here, or by this guard if an op fails.
  struct Guard {
    Impl& impl;
    const Trace& trace;
    ~Guard() {
      for (RecordIndex i = 0; i < impl.buffers.size(); ++i)
        if (impl.buffers[i] && !trace.is_input(i) && !impl.owners[i]) free_buffer(impl.buffers[i], storage_bytes(trace, i));
    }
  } guard{*this, trace};
  const auto drop_after = [&](RecordIndex storage, RecordIndex i) {
    if (trace.is_input(storage) || owners[storage] || trace.last_use[storage] != i) return;
    free_buffer(buffers[storage], storage_bytes(trace, storage));
    buffers[storage] = nullptr;
  };
  for (RecordIndex& i = done; i < n; ++i) {
    const RecordIndex storage = trace.storages[i];
    if (trace.is_input(i)) {
      if (storage == i) buffers[i] = input_buffer(i);
      continue;
    }
    if (storage == i) {
      const std::size_t bytes = storage_bytes(trace, i);
      buffers[i] = allocate_result(trace.keys[i].op, desc_of(trace.results[i]), window.values[i].site);
      if (Value* owner = owners[i]) {
        owner->data = buffers[i];
        owner->bytes = bytes;
      }
    }
    if (auto failure = interpreter.check(trace, i, window.values, buffers))
      raise<IndexError>(window.values[i].site, "[{}] {}", name_of(trace.keys[i].op), failure->message);
    interpreter.run(trace, i, window.values, buffers);
    counters.ops.add();
    if (storage == i && owners[i]) owners[i]->flags &= ~Value::kPending;
    for (int k = 0; k < trace.keys[i].n_operands; ++k)
      if (trace.keys[i].operands[k].is_tensor()) drop_after(trace.storages[trace.operand(i, k)], i);
    drop_after(storage, i);
  }
}

// After a replay that failed at record `failed`: eagerly, the draws from there on would not have been made. (Those of another seed
// stay: somebody has seeded the generator since.)
void Stream::Impl::give_back_draws(RecordIndex failed) noexcept {
  for (RecordIndex i = failed; i < window.size(); ++i) {
    const ValueHalf& half = window.values[i];
    if (kind_of(window.key(i).op) != OpKind::random) continue;
    const auto offset = static_cast<std::uint64_t>(half.offset);
    if (static_cast<std::uint64_t>(half.scalar.integer) != random.seed || offset >= random.offset) return;
    random.offset = offset;
    return;
  }
}

// After a replay that failed: what it had not produced yet must not be read.
void Stream::Impl::poison() noexcept {
  for (Value* owner : owners)
    if (owner && (owner->flags & Value::kPending)) owner->flags = (owner->flags & ~Value::kPending) | Value::kPoisoned;
}

void Stream::Impl::finish(KnownTrace* hit, std::int64_t reason) {
  counters.windows.add();
  note_turn(hit ? hit : window.on_path ? window.cursor.trace : nullptr, reason);
  if (stem_before) follows(hit ? hit : window.on_path ? window.cursor.trace : nullptr);
  if (reason == kFork) steadiness.forked();
  if (hit) {
    last_hit = hit;
    counters.hits.add();
    steadiness.hit();
    ++hit->hits;
    ++hit->history.runs;
    hit->last_used = window_count;
    (hit->ahead ? hit->family->earned_ns : hit->ledger->saved_ns) += hit->saving_ns;
    ledger.saved_ns += hit->saving_ns;
    if (std::exchange(hit->made_up, false)) hit->family->wrong = 0;
    deferral_backoff.succeeded();
    tracking_backoff.succeeded();
    hit->publish();
    if (hit->logs_hit()) [[unlikely]] {
      hit->log_hits();
      watch_escapes(*hit);
    }
    if (hit->hits == 1 && hit->trace.sites.empty()) [[unlikely]]
      event_log().store_sites(hit->trace.id, window.values.begin(), window.size());
    if (hit->wide.pending_ops > 0) [[unlikely]]
      consider(*hit);
    if (!beginning.empty()) compile_beginning();
  } else if (window.on_path) {
    ran_eagerly(*window.cursor.trace);
  } else {
    counters.misses.add();
    keep_window();
  }
  close();
}

// Some of what the window has left behind is watched from now on, not the same each time where it is much.
void Stream::Impl::watch_escapes(const KnownTrace& hit) {
  watch.sweep();
  const RecordIndex n = window.size();
  const auto from = static_cast<RecordIndex>(hit.hits / 64 * 37 % n);
  for (RecordIndex k = 0; k < n && !watch.full(); ++k) {
    const RecordIndex i = (from + k) % n;
    if (owners[i] && owners[i]->stream == &self) watch.watch(*owners[i], hit.trace.id, i);
  }
}

// What comes behind a read of the host: a program that branches on what it reads goes now this way, now that.
void Stream::Impl::note_turn(const KnownTrace* ran, std::int64_t reason) {
  if (before_read && ran) before_read->followed_by(ran->trace.id);
  before_read = ran && reason == static_cast<std::int64_t>(CutReason::host_read) ? ran->figures : nullptr;
}

// Whether somebody may ask for what is deferred.
bool Stream::Impl::is_needed() const {
  for (RecordIndex i = 0; i < window.size(); ++i)
    if (const Value* result = window.values[i].result; result && (result->pending() || window.key(i).in_place())) return true;
  return false;
}

void Stream::Impl::close() noexcept {
  deferring_since = make_tag(kNoEpoch, 0);
  window.end_tags();
  for (RecordIndex i = 0; i < window.size(); ++i)
    if (window.is_input(i)) release(window.values[i].result);
  window.clear();
  foreign.clear();
  stem_before = nullptr;
  open = false;
}

}  // namespace swage
