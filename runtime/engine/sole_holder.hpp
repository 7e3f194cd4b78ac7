// Who holds a value, whatever the tier.
#pragma once

#include <runtime/core/value.hpp>

namespace swage {

// Whether the caller's reference is the only one, its views' and that of the calling thread's window apart: what has entered a window is
// held by it, and whether a value enters depends on where windows end, which must not show.
bool is_held_once(const Value& value);

}  // namespace swage
