// Families: traces that do the same to other extents. Two windows that a program runs with different batch sizes are of one
// family: the same ops on the same operands, of the same types and ranks; extents, strides, the attributes' extents and literals
// may differ. An extent of 1 (or 0) is told apart from all others, for it broadcasts, and a stride of 0 too.
#pragma once

#include <cstdint>
#include <span>

#include <runtime/trace/op_record.hpp>

namespace swage {

// Whether integer `k` of an attribute of this op is an extent, so that it may follow one that changes.
bool is_extent(Op op, std::size_t k);

// Of all keys, in order, without what may differ within a family.
std::uint64_t family_hash(std::span<const KeyHalf> keys);
bool same_family(std::span<const KeyHalf> a, std::span<const KeyHalf> b);

}  // namespace swage
