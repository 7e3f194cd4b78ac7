// Values that are cheaper to compute again where they are read than to store and to load: masks, differences from a mean, the
// products of a gradient. Pure policy, after the grouping.
#pragma once

#include <jit/fusion.hpp>

namespace swage::jit {

// Adds to each fused group, as copies, pointwise records of earlier groups that it reads, where that reads no more memory than
// before. What nobody needs any longer leaves its group; touches are counted anew.
void recompute_values(const Trace& trace, const EscapeMask& escapes, Grouping& grouping);

}  // namespace swage::jit
