#include <runtime/engine/sole_holder.hpp>

#include <runtime/engine/stream_impl.hpp>

namespace swage {

bool is_held_once(const Value& value) {
  if (is_unique(value)) return true;
  if (!is_mine(value) || value.refs != 2 || value.elsewhere.load(std::memory_order_acquire) != 0) return false;
  const Stream::Impl& impl = Stream::current().impl();
  if (!impl.open || impl.mode == WindowMode::untracked) return false;
  for (RecordIndex i = 0; i < impl.window.size(); ++i)
    if (impl.window.values[i].result == &value && impl.window.is_input(i)) return true;
  return false;
}

}  // namespace swage
