#include <runtime/core/value.hpp>

#include <cstdlib>
#include <new>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/core/shared_buffer.hpp>
#include <runtime/engine/recorder.hpp>
#include <runtime/engine/stream.hpp>

namespace swage {

constinit thread_local Value* free_values = nullptr;
constinit thread_local Stream* this_stream = nullptr;
constinit thread_local bool tape_lets_go = false;

void refill_values() {
  constexpr std::size_t kSlab = 256;
  auto* slab = static_cast<Value*>(std::aligned_alloc(kAlignment, kSlab * sizeof(Value)));
  if (!slab) raise<MemoryError>({}, "cannot allocate {} bytes", kSlab * sizeof(Value));
  for (std::size_t i = kSlab; i-- > 0;) {
    Value* value = new (&slab[i]) Value;
    value->base = free_values;
    free_values = value;
  }
}
static_assert(sizeof(Value) * 256 % kAlignment == 0);

namespace {

[[gnu::always_inline]] inline void recycle(Value* value) noexcept {
  value->base = free_values;
  free_values = value;
}

[[gnu::noinline]] void dispose_slowly(Value* value) noexcept {
  if (value->elsewhere.load(std::memory_order_acquire) != 0) {
    // What others have counted is counted here from now on; it comes back as messages.
    value->refs += value->elsewhere.exchange(0, std::memory_order_acquire);
    if (value->refs > value->view_refs) return;
  }
  if (value->refs != 0) {
    if (!value->autograd) return;
    retain(value);  // the last views may go with the tape
    value->autograd->only_views_remain();
    if (--value->refs != 0) return;
  }
  if (value->autograd) {
    std::exchange(value->autograd, nullptr)->value_dies();
    if (value->refs != 0) return;
  }
  recorder->forget(value);
  if (value->flags & Value::kWatched) [[unlikely]]
    value->stream->watched_dies(*value);
  if (value->base) {
    if (is_mine(*value->base)) --value->base->view_refs;
    release(value->base);
  } else if (value->data && !(value->flags & Value::kBorrowed)) {
    if (value->flags & kSharedBuffer)
      leave_buffer(*value);
    else
      free_buffer(value->data, value->bytes);
  }
  value->version = 0;
  value->tape_writes = 0;
  value->users_elsewhere.store(0, std::memory_order_relaxed);
  value->offset = 0;
  value->data = nullptr;
  value->bytes = 0;
  recycle(value);
}

}  // namespace

void dispose(Value* value) noexcept {
  const Engaged engaged;
  if (value->refs == 0 && value->autograd && value->elsewhere.load(std::memory_order_acquire) == 0) {
    std::exchange(value->autograd, nullptr)->value_dies();
    if (value->refs != 0) return;
  }
  const bool plain = value->refs == 0 && !value->autograd && !value->base && !value->data && value->version == 0 &&
                     value->elsewhere.load(std::memory_order_acquire) == 0;
  if (!plain) [[unlikely]]
    return dispose_slowly(value);
  recorder->forget(value);
  recycle(value);
}

void release_elsewhere(Value* value) noexcept {
  std::uint32_t counted = value->elsewhere.load(std::memory_order_relaxed);
  while (counted != 0)
    if (value->elsewhere.compare_exchange_weak(counted, counted - 1, std::memory_order_release, std::memory_order_relaxed))
      return;
  value->stream->take_over(value);
}

}  // namespace swage
