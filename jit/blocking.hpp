// Keeps what lies between convolutions in the layout that they compute in. A value N×C×H×W that only the plan sees becomes
// N×C/16×H×W×16 in the trace itself: a tensor of rank 5 that fusion, loops and self-test treat like any other, and that a
// convolution takes without a copy. Reductions keep their logical order (the reduced dimensions stay N, H, W), so bits stay.
#pragma once

#include <optional>

#include <runtime/trace/trace.hpp>

namespace swage::jit {

// The trace with the same records on other descriptors; nothing if no value gains. `block` is the channels of a block.
//
// Values that an op ties together (operands and result of a pointwise op, say) are blocked together or not at all. Not blocked:
// what comes from outside or escapes, what a kernel other than a convolution or a view but `expand` and `alias` touches. Where
// a value has one channel or one pixel, both layouts are the same memory, and it goes with its neighbours.
std::optional<Trace> block_convolutions(const Trace& trace, const EscapeMask& escapes, std::int64_t block);

// In the blocks of this machine's convolutions; as it is where no value gains.
Trace in_best_layouts(const Trace& trace, const EscapeMask& escapes);

}  // namespace swage::jit
