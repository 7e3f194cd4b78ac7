#include <runtime/engine/stream.hpp>

#include <mutex>
#include <vector>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/recorder.hpp>
#include <runtime/engine/registry.hpp>
#include <runtime/engine/stream_impl.hpp>

namespace swage {

Stream::Stream() : impl_(std::make_unique<Impl>(*this)) {}
Stream::~Stream() = default;

Stream& Stream::current() {
  if (!this_stream) [[unlikely]]
    StreamRegistry::get().claim();
  return *this_stream;
}

void Stream::Impl::settle_foreign(const Value& value, CallSite site) {
  const Value& owner = *value.owner();
  if (owner.stream == &self || !(owner.flags & Value::kPending)) return;
  if (!StreamRegistry::get().settle(*owner.stream))
    raise<ValueError>(site, "a tensor that another thread has not settled yet cannot be used here: call swage::step() there");
}

ValueRef Stream::emit(const OpCall& call) {
  for (int k = 0; k < call.n_operands; ++k)
    if (const Value* value = call.operands[k].value) impl_->settle_foreign(*value, call.site);
  const Engaged engaged;
  return impl_->emit(call);
}

void Stream::cut(CutReason reason, CallSite site) {
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
  impl_->settle_foreign(value, site);
  const Engaged engaged;
  Value& owner = *value.owner();
  // The rule looks at records alone, so that windows end at the same place in every tier.
  if (impl_->open && impl_->window.tagged(impl_->tags(owner).write)) impl_->cut(CutReason::host_read, site);
  if (owner.flags & Value::kPoisoned)
    raise<ValueError>(site, "this tensor was never computed: the op that should have produced it failed");
}

void Stream::expose(Value& value, CallSite site) {
  impl_->settle_foreign(value, site);
  const Engaged engaged;
  Value& owner = *value.owner();
  if (impl_->open && impl_->window.tagged(impl_->tags(owner).storage)) impl_->cut(CutReason::host_read, site);
  read(value, site);
  owner.flags |= Value::kExposed;
}

RandomState Stream::random_state() const { return impl_->random; }
void Stream::set_random_state(RandomState state) { impl_->random = state; }

void Stream::take_over(Value* value) noexcept { StreamRegistry::get().post(*this, value); }

}  // namespace swage
