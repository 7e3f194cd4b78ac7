// Element types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace swage {

// Ordered by promotion: a mix of two takes the larger.
enum class DType : std::uint8_t { boolean, i64, f32, f64 };
inline constexpr int kDTypes = 4;

constexpr std::size_t size_of(DType dtype) {
  constexpr std::size_t sizes[] = {1, 8, 4, 8};
  return sizes[static_cast<int>(dtype)];
}
constexpr std::string_view name_of(DType dtype) {
  constexpr std::string_view names[] = {"bool", "i64", "f32", "f64"};
  return names[static_cast<int>(dtype)];
}
constexpr bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }
constexpr DType promote(DType a, DType b) { return a > b ? a : b; }

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::boolean;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

// Calls `f` with a value of the C++ type of `dtype`: `visit(dtype, [&]<class T>(T) { … })`.
template <class F>
decltype(auto) visit(DType dtype, F&& f) {
  switch (dtype) {
    case DType::boolean: return f(bool{});
    case DType::i64: return f(std::int64_t{});
    case DType::f32: return f(float{});
    default: return f(double{});
  }
}

}  // namespace swage
