#include <runtime/engine/snapshot.hpp>

#include <cstring>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/core/shared_buffer.hpp>
#include <runtime/engine/recorder.hpp>
#include <runtime/engine/stream.hpp>

namespace swage {

ValueRef snapshot(Value& value, CallSite site) {
  Stream& stream = Stream::current();
  stream.read(value, site);
  const Engaged engaged;
  Value& owner = *value.owner();
  ValueRef taken = ValueRef::adopt(new_value());
  taken->desc = value.desc;
  if (owner.stream == &stream && !owner.runs_at_once() && owner.bytes > 0) {
    share_buffer(owner, *taken);
  } else {
    taken->data = allocate_buffer(owner.bytes);
    taken->bytes = owner.bytes;
    if (owner.bytes > 0) std::memcpy(taken->data, owner.data, owner.bytes);
  }
  taken->offset = value.offset;
  return taken;
}

void before_write(Value& owner, CallSite site) {
  if (!(owner.flags & kSharedBuffer)) [[likely]]
    return;
  try {
    own_buffer(owner);
  } catch (const MemoryError&) {
    raise<MemoryError>(site, "a snapshot shares the tensor that is written here, and there is no memory for a copy of {} bytes",
                       owner.bytes);
  }
}

}  // namespace swage
