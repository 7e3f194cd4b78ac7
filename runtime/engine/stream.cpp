#include <runtime/engine/stream.hpp>

#include <mutex>
#include <utility>
#include <vector>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/collector.hpp>
#include <runtime/engine/recorder.hpp>
#include <runtime/engine/registry.hpp>
#include <runtime/engine/snapshot.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {

constinit thread_local Collector* collector = nullptr;

namespace {

// Whoever needs a collected value has the graph run that it stands in; another thread cannot.
void settle_collected(const Value& value, CallSite site) {
  if (!is_collected(value)) return;
  if (collector) collector->settle(site);
  if (is_collected(value))
    raise<ValueError>(site, "a tensor that a batch scope of another thread has not computed yet cannot be used here");
}

}  // namespace

Stream::Stream() : impl_(std::make_unique<Impl>(*this)) {}
Stream::~Stream() = default;

Stream& Stream::current() {
  if (!this_stream) [[unlikely]]
    StreamRegistry::get().claim();
  return *this_stream;
}

// What other streams have deferred on a storage comes before what this one does with it: their writes before its reads, and whatever
// they do before its writes.
void Stream::Impl::wait_for_others(Value& value, bool writes, CallSite site) {
  Value& owner = *value.owner();
  bool settled = true;
  if (owner.stream != &self) {
    const std::uint64_t deferring = epoch_of(owner.stream->impl().deferring_since);
    const Tag last = writes ? owner.storage_tag : owner.write_tag;
    if ((owner.flags & Value::kPending) || (deferring != kNoEpoch && epoch_of(last) == deferring))
      settled = StreamRegistry::get().settle(*owner.stream);
  }
  std::uint32_t users = owner.users_elsewhere.load(std::memory_order_acquire);
  if (settled && users != 0 && (writes || (users & Value::kWrittenElsewhere)) &&
      (users & ~Value::kWrittenElsewhere) != number) {
    settled = StreamRegistry::get().settle_users(users, self);
    if (settled) owner.users_elsewhere.compare_exchange_strong(users, 0);
  }
  if (!settled)
    raise<ValueError>(site, "a tensor that another thread has not settled yet cannot be used here: call swage::step() there");
}

ValueRef Stream::emit(const OpCall& call) {
  for (int k = 0; k < call.n_operands; ++k)
    if (Value* value = call.operands[k].value) {
      settle_collected(*value, call.site);
      impl_->wait_for_others(*value, call.in_place && k == 0, call.site);
    }
  const Engaged engaged;
  return impl_->emit(call);
}

void Stream::cut(CutReason reason, CallSite site) {
  if (collector) [[unlikely]]
    collector->settle(site);
  const Engaged engaged;
  impl_->cut(reason, site);
}

ValueRef Stream::adopt_buffer(void* data, std::size_t bytes, DescId desc, bool own) {
  Value* value = new_value();
  value->desc = desc;
  value->data = data;
  value->bytes = bytes;
  if (!own) value->flags = Value::kBorrowed;
  return ValueRef::adopt(value);
}

void Stream::read(Value& value, CallSite site) {
  settle_collected(value, site);
  impl_->wait_for_others(value, false, site);
  const Engaged engaged;
  Value& owner = *value.owner();
  // The rule looks at records alone, so that windows end at the same place in every tier.
  if (impl_->open && impl_->window.tagged(impl_->tags(owner).write)) impl_->cut(CutReason::host_read, site);
  if (owner.flags & Value::kWatched) [[unlikely]]
    owner.stream == this ? impl_->watch.was_read(owner) : owner.flags.set(Value::kReadElsewhere);
  if (owner.flags & Value::kPoisoned)
    raise<ValueError>(site, "this tensor was never computed: the op that should have produced it failed");
}

void Stream::expose(Value& value, CallSite site) {
  if (collector) collector->settle(site);  // what was collected read it as it is now
  settle_collected(value, site);
  impl_->wait_for_others(value, true, site);
  const Engaged engaged;
  Value& owner = *value.owner();
  if (impl_->open && impl_->window.tagged(impl_->tags(owner).storage)) impl_->cut(CutReason::host_read, site);
  read(value, site);
  before_write(owner, site);
  owner.flags.set(Value::kExposed);
}

RandomState Stream::random_state() const { return impl_->random; }
void Stream::set_random_state(RandomState state) { impl_->random = state; }

bool Stream::take_path(KnownTrace& path, RecordIndex end) noexcept {
  Window& window = impl_->window;
  const RecordIndex limit = impl_->engine.options.soft_window_limit;
  window.sync();
  if (impl_->mode != WindowMode::deferring || !window.on_path || !window.cursor.trace) return false;
  if (impl_->at_fork() || path.dropped || path.plans_below == 0) return false;
  KnownTrace* const before = std::exchange(window.cursor.trace, &path);
  window.arm(limit);
  if (window.follows() && path.expects_up_to(end)) return true;
  window.cursor.trace = before;
  window.arm(limit);
  return false;
}

void Stream::watched_dies(Value& owner) noexcept { impl_->watch.dies(owner); }

void Stream::take_over(Value* value) noexcept { StreamRegistry::get().post(*this, value); }

}  // namespace swage
