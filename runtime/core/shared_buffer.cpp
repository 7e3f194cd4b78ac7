#include <runtime/core/shared_buffer.hpp>

#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>

namespace swage {
namespace {

struct Owners {
  std::mutex mutex;
  std::unordered_map<void*, std::uint32_t> count;  // of each buffer that is shared
};
Owners& owners() {
  static auto* owners = new Owners;
  return *owners;
}

}  // namespace

void share_buffer(Value& owner, Value& sharer) {
  try {
    const std::lock_guard lock(owners().mutex);
    std::uint32_t& count = owners().count[owner.data];
    count = count == 0 ? 2 : count + 1;
  } catch (const std::bad_alloc&) {
    raise<MemoryError>({}, "[snapshot] no memory to share a buffer");
  }
  owner.flags.set(kSharedBuffer);
  sharer.flags |= kSharedBuffer;
  sharer.data = owner.data;
  sharer.bytes = owner.bytes;
}

void own_buffer(Value& owner) {
  {
    const std::lock_guard lock(owners().mutex);
    const auto found = owners().count.find(owner.data);
    if (found->second == 1) {
      owners().count.erase(found);
      owner.flags.clear(kSharedBuffer);
      return;
    }
  }
  // The others do not write it either: they would come by here.
  void* const copy = allocate_buffer(owner.bytes);
  std::memcpy(copy, owner.data, owner.bytes);
  leave_buffer(owner);
  owner.flags.clear(kSharedBuffer);
  owner.data = copy;
}

void leave_buffer(Value& owner) noexcept {
  {
    const std::lock_guard lock(owners().mutex);
    const auto found = owners().count.find(owner.data);
    if (--found->second != 0) return;
    owners().count.erase(found);
  }
  free_buffer(owner.data, owner.bytes);
}

}  // namespace swage
