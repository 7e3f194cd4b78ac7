#include <runtime/engine/exchange.hpp>

#include <utility>

#include <runtime/core/shared_buffer.hpp>
#include <runtime/engine/recorder.hpp>

namespace swage {

const char* not_exchangeable(const Value& value) {
  if (value.base) return "it is a view of another tensor";
  if (!is_mine(value)) return "another thread made it";
  if (value.flags & Value::kPoisoned) return "it was never computed: the op that should have produced it failed";
  if (value.view_refs != 0)
    return "something still looks at it: a slice that is held, or the tape of a result whose backward has not run. Drop that "
           "first";
  return nullptr;
}

void exchange_storage(Value& value, Value& other) noexcept {
  constexpr std::uint32_t kOfStorage = Value::kBorrowed | Value::kExposed | kSharedBuffer;
  const Engaged engaged;
  std::swap(value.data, other.data);
  std::swap(value.bytes, other.bytes);
  std::swap(value.desc, other.desc);
  std::swap(value.offset, other.offset);
  const std::uint32_t mine = value.flags & kOfStorage, others = other.flags & kOfStorage;
  value.flags.clear(kOfStorage);
  value.flags.set(others);
  other.flags.clear(kOfStorage);
  other.flags.set(mine);
  ++value.version;
  ++other.version;
}

}  // namespace swage
