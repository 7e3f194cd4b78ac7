// Pointwise loops, one for each op and number type, made from the op table and the scalar language.
#pragma once

#include <utility>

#include <kernels/cpu/simd/lanes.hpp>
#include <kernels/cpu/simd_table.hpp>
#include <runtime/ops/scalar_ops.hpp>

namespace swage::SWAGE_SIMD {

// Repeats one element over a register's width, so that a fixed operand is read like a dense one, without advancing.
template <int size>
void repeat(const char* element, char* out) {
  for (int i = 0; i < kVectorBytes; i += size) __builtin_memcpy(out + i, element, size);
}

template <Op op, int lanes, class Out, class... In>
struct Loop {
  template <std::size_t... k>
  [[gnu::always_inline]] static void rows(const PointwiseRun& run, std::index_sequence<k...>) {
    alignas(64) char repeated[sizeof...(In)][kVectorBytes];
    const std::int64_t full = run.n / lanes;
    const int rest = static_cast<int>(run.n % lanes);
    const std::int64_t step[] = {run.fixed[k] ? 0 : std::int64_t{lanes} * In::kSize...};
    for (std::int64_t row = 0; row < run.rows; ++row) {
      char* out = run.out + row * run.out_row;
      const char* in[] = {run.in[k] + row * run.in_row[k]...};
      ((run.fixed[k] ? (repeat<In::kSize>(in[k], repeated[k]), in[k] = repeated[k]) : in[k]), ...);
#pragma GCC unroll 2
      for (std::int64_t i = 0; i < full; ++i) {
        Out::store(scalar::Arithmetic<op>::apply(In::load(in[k])...), out);
        ((in[k] += step[k]), ...);
        out += lanes * Out::kSize;
      }
      if (rest != 0) Out::store(scalar::Arithmetic<op>::apply(In::load(in[k], rest)...), out, rest);
    }
  }
  [[gnu::flatten]] static void run(const PointwiseRun& run) { rows(run, std::index_sequence_for<In...>{}); }
};

template <Op op, class V>
constexpr PointwiseLoop loop_of() {
  constexpr DTypeRule rule = info(op).dtypes;
  constexpr int arity = info(op).arity;
  using N = Numbers<V>;
  if constexpr (rule == DTypeRule::compare)
    return Loop<op, V::kLanes, Bools<V>, N, N>::run;
  else if constexpr (rule == DTypeRule::select && __is_same(V, Bytes))
    return Loop<op, V::kLanes, N, N, N, N>::run;
  else if constexpr (rule == DTypeRule::select)
    return Loop<op, V::kLanes, N, Bools<V>, N, N>::run;
  else if constexpr (arity == 1)
    return Loop<op, V::kLanes, N, N>::run;
  else
    return Loop<op, V::kLanes, N, N, N>::run;
}

template <class V, DType dtype, int op = 0>
void fill_pointwise(SimdTable& table) {
  if constexpr (op < kOps) {
    constexpr bool wanted = kind_of(static_cast<Op>(op)) == OpKind::pointwise && computes_with(static_cast<Op>(op), dtype);
    if constexpr (wanted) table.pointwise[op][static_cast<int>(dtype)] = loop_of<static_cast<Op>(op), V>();
    fill_pointwise<V, dtype, op + 1>(table);
  }
}

void fill_pointwise_f32(SimdTable& table);
void fill_pointwise_f64(SimdTable& table);
void fill_pointwise_integers(SimdTable& table);
void fill_cast(SimdTable& table);
void fill_reduce(SimdTable& table);
void fill_gemm(SimdTable& table);
void fill_random(SimdTable& table);
void fill_transpose(SimdTable& table);

}  // namespace swage::SWAGE_SIMD
