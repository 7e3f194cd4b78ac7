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

// Bool to numbers: a mask selects 1 or 0.
template <class V>
void widen(const PointwiseRun& run) {
  if (run.fixed[0]) return cast<typename V::Element, bool>(run);
  const V one = V::splat(1), zero = V::splat(0);
  for (std::int64_t row = 0; row < run.rows; ++row) {
    char* out = run.out + row * run.out_row;
    const char* in = run.in[0] + row * run.in_row[0];
    std::int64_t i = 0;
    for (; i + V::kLanes <= run.n; i += V::kLanes) select(Bools<V>::load(in + i), one, zero).store(out + i * Numbers<V>::kSize);
    const int rest = static_cast<int>(run.n - i);
    if (rest > 0) store_first(select(Bools<V>::load(in + i, rest), one, zero), out + i * Numbers<V>::kSize, rest);
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
  table.cast[static_cast<int>(DType::boolean)][static_cast<int>(DType::i64)] = widen<I64>;
  table.cast[static_cast<int>(DType::boolean)][static_cast<int>(DType::f32)] = widen<F32>;
  table.cast[static_cast<int>(DType::boolean)][static_cast<int>(DType::f64)] = widen<F64>;
  fill_from<std::int64_t>(table.cast[static_cast<int>(DType::i64)]);
  fill_from<float>(table.cast[static_cast<int>(DType::f32)]);
  fill_from<double>(table.cast[static_cast<int>(DType::f64)]);
}

}  // namespace swage::SWAGE_SIMD
