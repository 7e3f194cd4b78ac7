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
    use_recorder(&StreamRegistry::get().claim().impl().window);
  return *this_stream;
}

ValueRef Stream::emit(const OpCall& call) { return impl_->emit(call); }

void Stream::cut(CutReason reason, CallSite site) { impl_->cut(reason, site); }

ValueRef Stream::adopt_buffer(void* data, std::size_t bytes, DescId desc, bool own) {
  Value* value = new_value();
  value->desc = desc;
  value->data = data;
  value->bytes = bytes;
  if (!own) value->flags = Value::kBorrowed;
  return ValueRef::adopt(value);
}

void Stream::read(Value& value, CallSite site) {
  Value& owner = *value.owner();
  // The rule looks at records alone, so that windows end at the same place in every tier.
  if (impl_->open && impl_->window.tagged(impl_->tags(owner).write)) impl_->cut(CutReason::host_read, site);
  if (owner.flags & Value::kPoisoned)
    raise<ValueError>(site, "this tensor was never computed: the op that should have produced it failed");
  if (owner.flags & Value::kPending)
    raise<ValueError>(site, "a tensor that another thread has not settled yet cannot be read here: call swage::step() there");
}

void Stream::expose(Value& value, CallSite site) {
  Value& owner = *value.owner();
  if (impl_->open && impl_->window.tagged(impl_->tags(owner).storage)) impl_->cut(CutReason::host_read, site);
  read(value, site);
  owner.flags |= Value::kExposed;
}

RandomState Stream::random_state() const { return impl_->random; }
void Stream::set_random_state(RandomState state) { impl_->random = state; }

void Stream::take_over(Value* value) noexcept { StreamRegistry::get().post(*this, value); }

}  // namespace swage
