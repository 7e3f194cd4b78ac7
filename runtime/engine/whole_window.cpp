#include <runtime/engine/whole_window.hpp>

#include <runtime/core/error.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {

const Trace& trace_of(const KnownTrace& known) { return known.trace; }
bool runs_compiled(const KnownTrace& known) { return !known.dropped && known.has_plan() && !known.shelved; }

void Stream::begin_whole() { impl_->runs_whole = true; }
void Stream::end_whole() { impl_->runs_whole = false; }

WindowView Stream::view_window() const {
  const Stream::Impl& at = *impl_;
  if (!at.open || at.mode == WindowMode::untracked) return {};
  return {at.window.values, at.window.first_tag, at.window.on_path};
}

std::shared_ptr<KnownTrace> Stream::cut_to_known(CutReason reason, CallSite site) {
  impl_->last_hit = nullptr;
  cut(reason, site);
  return impl_->last_hit ? impl_->last_hit->shared_from_this() : nullptr;
}

bool Stream::run_whole(KnownTrace& path, std::span<const ValueHalf> halves, std::span<const MadeValue> made,
                       std::span<ValueRef> results, CutReason reason, CallSite site) {
  const Trace& trace = path.trace;
  for (RecordIndex i = 0; i < halves.size(); ++i)
    if (trace.is_input(i) && halves[i].result->owner()->users_elsewhere.load(std::memory_order_acquire) != 0)
      impl_->wait_for_others(*halves[i].result, false, site);
  const Engaged engaged;
  return impl_->run_whole(path, halves, made, results, static_cast<std::int64_t>(reason), site);
}

// Inputs enter as they would one by one: the same storages must be the same, and others others.
bool Stream::Impl::enter_whole(const Trace& trace, std::span<const ValueHalf> halves, bool& at_once) {
  for (RecordIndex i = 0; i < halves.size(); ++i) {
    window.values.push_back(halves[i]);
    ValueHalf& half = window.values[i];
    ++window.next_tag;
    if (!trace.is_input(i)) {
      half.result = nullptr;
      continue;
    }
    Value& value = *half.result;
    Value& owner = *value.owner();
    retain(&value);
    const Tag tag = window.first_tag + i;
    const Tag storage = owner.storage_tag;
    const RecordIndex expected = trace.storages[i];
    if (value.stream != &self || owner.stream != &self || value.desc != trace.results[i] ||
        (expected == i) == window.tagged(storage) || (expected != i && index_of(storage) != expected) ||
        owner.flags & (Value::kPending | Value::kPoisoned) ||
        owner.users_elsewhere.load(std::memory_order_acquire) & Value::kWrittenElsewhere)
      return false;
    at_once |= owner.runs_at_once();
    half.offset = value.offset;
    value.tag = tag;
    if (expected == i) owner.storage_tag = tag;
  }
  for (RecordIndex i = 0; i < halves.size(); ++i) {
    if (!trace.keys[i].in_place() || !trace.is_input(trace.storages[i])) continue;
    Value& owner = *window.values[trace.storages[i]].result->owner();
    ++owner.version;
    owner.write_tag = window.first_tag + i;
  }
  return true;
}

bool Stream::Impl::run_whole(KnownTrace& path, std::span<const ValueHalf> halves, std::span<const MadeValue> made,
                             std::span<ValueRef> results, std::int64_t reason, CallSite site) {
  invariant(!open, "a whole window begins where none is open");
  const Trace& trace = path.trace;
  invariant(halves.size() + 1 == trace.size(), "a whole window is as long as its trace");
  begin_window();
  const bool tracked = mode != WindowMode::untracked;
  if (!tracked) window.begin(next_epoch());
  window.cursor = {&path, 0};
  window.on_path = true;
  bool at_once = false;
  try {
    window.values.reserve(halves.size() + 2);
    if (!enter_whole(trace, halves, at_once)) {
      close();
      return false;
    }
    for (std::size_t k = 0; k < made.size(); ++k) {
      Value* const value = new_value();
      results[k] = ValueRef::adopt(value);
      value->desc = made[k].desc;
      value->tag = window.first_tag + made[k].record;
      window.values[made[k].record].result = value;
      Value* base = nullptr;
      if (made[k].base >= 0) base = results[static_cast<std::size_t>(made[k].base)].get();
      if (made[k].of_input != ~RecordIndex{0}) base = window.values[made[k].of_input].result->owner();
      if (base) {
        set_base(value, base);
        value->offset = halves[made[k].record].offset;
      } else {
        value->flags = Value::kPending;
        value->storage_tag = value->write_tag = window.first_tag + made[k].storage;
      }
    }
  } catch (...) {
    close();
    throw;
  }
  window.sync();
  if (mode == WindowMode::deferring && !at_once && !path.dropped && path.ends_at >= halves.size()) {
    end_window(reason, site);
    return true;
  }
  // No plan is to be had now: the records run one by one.
  RecordIndex done = 0;
  const std::uint64_t start = timing ? engine.options.clock() : 0;
  try {
    replay(done);
    if (timing) kernel_ns += static_cast<double>(engine.options.clock() - start);
  } catch (...) {
    poison();
    close();
    throw;
  }
  if (!tracked || path.dropped) {
    close();
    return true;
  }
  mode = WindowMode::running;
  window.push(cut_key(reason), 0, {nullptr, 0, {}, site});
  window.sync();
  finish(nullptr, reason);
  return true;
}

}  // namespace swage
