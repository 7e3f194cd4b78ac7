// Another storage, shape and type for a value that is known by many handles: how a parameter grows without anybody being told.
#pragma once

#include <runtime/core/call_site.hpp>
#include <runtime/core/value.hpp>

namespace swage {

// Whether `value` can be given another storage, in words; null where it can. It must own its storage and be the calling thread's, and no
// view may look at it: a slice that somebody holds, or the tape of a computation that has not been taken back.
const char* not_exchangeable(const Value& value);

// `value` and `other`, owners of the calling thread's stream that `not_exchangeable` lets pass, swap storage, shape and type. Between
// windows only: cut first. Counts as a write to both, so that a tape which has saved one of them notices. Memory that the user holds a
// pointer to goes along with the storage.
void exchange_storage(Value& value, Value& other) noexcept;

}  // namespace swage
