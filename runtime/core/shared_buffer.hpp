// Buffers that several storages share until one of them is written: what snapshots are made of. A storage that shares its buffer says so
// (kSharedBuffer); whoever is about to write it asks `own_buffer` first. Owners may live on different threads: they are counted
// in one table, and the last one frees.
#pragma once

#include <runtime/core/value.hpp>

namespace swage {

// Of Value::flags, owners: the buffer belongs to other storages too.
inline constexpr std::uint32_t kSharedBuffer = 1u << 31;

// `sharer`, an owner without a buffer, gets that of `owner`. Raises MemoryError, and then nothing has changed.
void share_buffer(Value& owner, Value& sharer);

// Gives `owner`, which shares its buffer, one of its own with the same contents; its old one where all others have gone.
// Raises MemoryError, and then nothing has changed.
void own_buffer(Value& owner);

// `owner` shares its buffer no longer; it is the caller who forgets the address.
void leave_buffer(Value& owner) noexcept;

}  // namespace swage
