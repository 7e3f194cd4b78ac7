// What an operand must be, for composites.
#pragma once

#include <swage/detail/call.hpp>

namespace swage::detail {

// Raises where it is undefined, or of no floating type (DTypeError).
inline void require_float(const char* op, const Tensor& a) {
  require_defined({}, op, a);
  if (!is_float(a.dtype())) raise<DTypeError>(SiteScope::or_else({}), "[{}] takes f32 or f64, not {}", op, name_of(a.dtype()));
}

}  // namespace swage::detail
