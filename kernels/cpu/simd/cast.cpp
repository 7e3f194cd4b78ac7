// Conversions between element types. Floats to integers truncate, saturate, and take NaN to 0; to bool: different from zero.
#include <kernels/cpu/simd/pointwise.hpp>

namespace swage::SWAGE_SIMD {
namespace {

template <class To, class From>
To convert(From x) {
  if constexpr (__is_same(To, bool)) {
    return x != From{0};
  } else if constexpr (__is_same(To, std::int64_t) && !__is_same(From, std::int64_t) && !__is_same(From, bool)) {
    constexpr From limit = 9223372036854775808.0;  // 2^63
    if (x != x) return 0;
    if (x >= limit) return INT64_MAX;
    if (x <= -limit) return INT64_MIN;
    return static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class To, class From>
void cast(const PointwiseRun& run) {
  for (std::int64_t row = 0; row < run.rows; ++row) {
    To* __restrict out = reinterpret_cast<To*>(run.out + row * run.out_row);
    const From* __restrict in = reinterpret_cast<const From*>(run.in[0] + row * run.in_row[0]);
    if (run.fixed[0]) {
      const To value = convert<To>(in[0]);
      for (std::int64_t i = 0; i < run.n; ++i) out[i] = value;
    } else {
      for (std::int64_t i = 0; i < run.n; ++i) out[i] = convert<To>(in[i]);
    }
  }
}

template <class From>
void fill_from(PointwiseLoop* to) {
  to[static_cast<int>(DType::boolean)] = cast<bool, From>;
  to[static_cast<int>(DType::i64)] = cast<std::int64_t, From>;
  to[static_cast<int>(DType::f32)] = cast<float, From>;
  to[static_cast<int>(DType::f64)] = cast<double, From>;
}

}  // namespace

void fill_cast(SimdTable& table) {
  fill_from<bool>(table.cast[static_cast<int>(DType::boolean)]);
  fill_from<std::int64_t>(table.cast[static_cast<int>(DType::i64)]);
  fill_from<float>(table.cast[static_cast<int>(DType::f32)]);
  fill_from<double>(table.cast[static_cast<int>(DType::f64)]);
}

}  // namespace swage::SWAGE_SIMD
