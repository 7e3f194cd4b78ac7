// Walking a view on the host.
#pragma once

#include <array>
#include <cstdint>

#include <runtime/core/view_desc.hpp>

namespace swage::detail {

// Calls `f` with the offset, in elements from the view's first, of each element in row-major order.
template <class F>
void for_each_offset(const ViewDesc& view, F&& f) {
  const std::int64_t n = view.numel();
  std::array<std::int64_t, kMaxRank> index{};
  std::int64_t offset = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    f(offset);
    for (int d = view.rank() - 1; d >= 0; --d) {
      auto& at = index[static_cast<std::size_t>(d)];
      offset += view.strides[d];
      if (++at < view.dims[d]) break;
      offset -= at * view.strides[d];
      at = 0;
    }
  }
}

}  // namespace swage::detail
