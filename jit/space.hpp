// The iteration space of a fused group, and where in it the records of the group read and write.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <runtime/trace/trace.hpp>

namespace swage::jit {

// Logical extents, some of them reduced. A record of the group runs over the full space, or over its kept dimensions alone
// (what is computed from reduced values).
struct Space {
  Dims dims;
  std::uint32_t reduced = 0;  // bit d: dimension d is reduced

  bool is_reduced(int d) const { return reduced >> d & 1; }
  Dims kept() const;
  std::int64_t numel() const { return dims.product(); }
  std::int64_t kept_numel() const { return kept().product(); }
  friend bool operator==(const Space&, const Space&) = default;
};

// Whether a record with this many elements runs over the full space or the kept one; nothing where it fits neither.
enum class Level : std::uint8_t { row, inner };
std::optional<Level> level_in(const Space& space, std::int64_t numel);

// What a record touches, as a function of the position in the space: element `offset(origin) + Σ index·strides` of a storage.
// Two accesses of one storage are the same element at every position if and only if they compare equal; otherwise they may
// overlap in any way.
struct Access {
  RecordIndex storage = 0;
  RecordIndex origin = 0;  // the record whose result_offset() is the start
  DType dtype = DType::f32;
  Dims strides;  // over space.dims; 0 along dimensions of extent 1
  friend bool operator==(const Access&, const Access&) = default;
};

// By record: the record that decides the offset of its result (see Access::origin).
std::vector<RecordIndex> offset_origins(const Trace& trace);

// Strides over `space` of a view that a record with extents `dims` reads or writes (broadcast to `dims` first). Nothing where
// its elements are not an affine function of the position.
std::optional<Dims> strides_over(const ViewDesc& view, const Dims& dims, const Space& space, Level level);

// The access of a record's result or of one of its operands, for a record over `dims`.
std::optional<Access> access_of(const Trace& trace, const std::vector<RecordIndex>& origins, RecordIndex value,
                                const Dims& dims, const Space& space, Level level);

// Extents over which record `i` iterates: those of its result, or of what it reduces.
const Dims& extents_of(const Trace& trace, RecordIndex i);
// Bit d: dimension d of a reduction's operand is reduced.
std::uint32_t reduced_dims(const Trace& trace, RecordIndex i);

}  // namespace swage::jit
