// Descriptors of views: element type, extents and strides, interned so that a record compares one 32-bit id instead of a
// shape. The offset of a view is not part of its descriptor: a moving slice keeps its id.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include <runtime/core/dtype.hpp>

namespace swage {

inline constexpr int kMaxRank = 8;

// Extents (or strides, or a list of dimensions), held inline.
class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<std::int64_t> values) : Dims(std::span(values.begin(), values.size())) {}
  explicit Dims(std::span<const std::int64_t> values);  // raises ShapeError above kMaxRank

  int rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  std::int64_t operator[](int i) const { return values_[static_cast<std::size_t>(i)]; }
  std::int64_t& operator[](int i) { return values_[static_cast<std::size_t>(i)]; }
  const std::int64_t* begin() const { return values_.data(); }
  const std::int64_t* end() const { return values_.data() + rank_; }
  void push_back(std::int64_t value);
  void resize(int rank, std::int64_t fill = 0);
  std::int64_t product() const;  // 1 for rank 0
  std::span<const std::int64_t> span() const { return {values_.data(), static_cast<std::size_t>(rank_)}; }

  friend bool operator==(const Dims& a, const Dims& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }

 private:
  std::array<std::int64_t, kMaxRank> values_{};
  int rank_ = 0;
};

std::string to_string(const Dims& dims);  // "2×3", "()" for rank 0

// Row-major strides, in elements, of contiguous data with these extents.
Dims contiguous_strides(const Dims& dims);

struct ViewDesc {
  DType dtype = DType::f32;
  Dims dims;
  Dims strides;  // in elements; 0 where a dimension is broadcast

  int rank() const { return dims.rank(); }
  std::int64_t numel() const { return dims.product(); }
  bool contiguous() const;  // row-major; dimensions of extent 1 do not count
  // Elements from the first to one past the last that the view touches; 0 when empty. Strides are never negative.
  std::int64_t span_elements() const;
  bool overlaps_itself() const;  // whether two indices may reach one element (a broadcast dimension)

  friend bool operator==(const ViewDesc&, const ViewDesc&) = default;
};

std::string to_string(const ViewDesc& desc);  // "f32[2,3]", with strides where not row-major: "f32[3,2:1,3]"

using DescId = std::uint32_t;

// Interning is thread-safe; ids are dense, never reused, and mean nothing outside the process. References stay valid.
DescId intern(const ViewDesc& desc);
DescId intern(DType dtype, const Dims& dims);  // row-major
const ViewDesc& desc_of(DescId id);

// The extents of a result of broadcasting `a` with `b`, aligned at the right; false where they do not fit.
bool broadcast(const Dims& a, const Dims& b, Dims& result);

}  // namespace swage
