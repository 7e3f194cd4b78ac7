#include <runtime/core/value.hpp>

#include <cstdlib>
#include <new>

#include <runtime/core/allocator.hpp>
#include <runtime/core/error.hpp>
#include <runtime/engine/stream.hpp>

namespace swage {
namespace {

// Free values of this thread, chained through `base`. Slabs are never given back, so a value may be freed on another thread.
thread_local Value* free_values = nullptr;

void refill() {
  constexpr std::size_t kSlab = 256;
  auto* slab = static_cast<Value*>(std::aligned_alloc(kAlignment, kSlab * sizeof(Value)));
  if (!slab) raise<MemoryError>({}, "cannot allocate {} bytes", kSlab * sizeof(Value));
  for (std::size_t i = 0; i < kSlab; ++i) {
    Value* value = new (&slab[i]) Value;
    value->base = free_values;
    free_values = value;
  }
}
static_assert(sizeof(Value) * 256 % kAlignment == 0);

}  // namespace

Value* new_value() {
  if (!free_values) [[unlikely]]
    refill();
  Value* value = free_values;
  free_values = value->base;
  return new (value) Value;
}

void dispose(Value* value) noexcept {
  if (value->refs != 0) {
    if (!value->autograd) return;
    retain(value);  // the last views may go with the tape
    value->autograd->only_views_remain();
    if (--value->refs != 0) return;
  }
  if (value->autograd) {
    // The tape may take the dying value over (frontend/swage/autograd/node.hpp): then a reference has come back.
    delete std::exchange(value->autograd, nullptr);
    if (value->refs != 0) return;
  }
  if (value->stream) value->stream->forget(value);
  if (value->base) {
    --value->base->view_refs;
    release(value->base);
  } else if (value->data && !(value->flags & Value::kBorrowed)) {
    free_buffer(value->data, value->bytes);
  }
  value->base = free_values;
  free_values = value;
}

}  // namespace swage
