// What snapshots are to the engine: storages that share a buffer.
#pragma once

#include <runtime/core/call_site.hpp>
#include <runtime/core/value.hpp>

namespace swage {

// A storage of the calling thread's stream with what `value` holds now, in the same layout; it shares the buffer until one of the two is
// written. Where the value is another stream's or its memory the user's, a copy. Settles as a read does. Raises MemoryError, and what
// settling raises.
ValueRef snapshot(Value& value, CallSite site);

// Every write to a storage comes by here first: a buffer that snapshots share is left to them. Raises MemoryError.
void before_write(Value& owner, CallSite site);

}  // namespace swage
