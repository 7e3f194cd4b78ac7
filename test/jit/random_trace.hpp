// Traces made up from a seed.
#pragma once

#include <cstdint>

#include <runtime/trace/trace.hpp>

namespace swage::test {

// Any op, view, write in place, alias and escape, over extents that vectors and blocks of the reduction tree do not divide.
Trace random_trace(std::uint64_t seed, EscapeMask& escapes);

}  // namespace swage::test
