// Literal attributes of ops, interned: a record carries a 32-bit id.
//
// What the integers mean, by op:
//   cast, full, iota, uniform, normal   dtype is `dtype`; full, uniform, normal: ints = extents
//   iota                                ints = {dimension, extents…}: element value = index along the dimension
//   sum, amax, amin, argmax             ints = {keepdim, dimensions… (ascending)}; argmax takes exactly one dimension
//   conv2d, conv2d_grad_*               ints = {stride_h, stride_w, pad_h, pad_w}; grad_input adds input extents (4),
//                                       grad_weight adds weight extents (4)
//   permute                             ints = the permutation;   reshape, expand  ints = the new extents
//   narrow                              ints = {dimension, length}; the start is in the record, not in the key
//   gather, scatter_add                 ints = {dimension}
//   cut                                 ints = {CutReason}
//   any op with a literal operand       real = its value
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <runtime/core/view_desc.hpp>

namespace swage {

struct Attribute {
  std::vector<std::int64_t> ints;
  double real = 0;
  DType dtype = DType::f32;

  friend bool operator==(const Attribute& a, const Attribute& b);  // bitwise on `real`
};

using AttrId = std::uint32_t;  // 0 is the empty attribute

AttrId intern(const Attribute& attribute);  // thread-safe; ids are dense and never reused
const Attribute& attribute_of(AttrId id);   // the reference stays valid

// Why a window ends. The same in every tier.
enum class CutReason : std::int64_t { step_end, host_read, scope, recurrence, length, flush };
std::string_view name_of(CutReason reason);

}  // namespace swage
