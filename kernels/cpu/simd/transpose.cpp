#include <kernels/cpu/simd/transpose.hpp>

#include <kernels/cpu/simd/pointwise.hpp>

namespace swage::SWAGE_SIMD {
namespace {

template <class T>
void run(const void* in, std::int64_t in_row, std::int64_t rows, std::int64_t columns, void* out, std::int64_t out_row) {
  transpose(static_cast<const T*>(in), in_row, rows, columns, static_cast<T*>(out), out_row);
}

}  // namespace

// Element types are moved as floating ones of their size: no arithmetic, no change of bits.
void fill_transpose(SimdTable& table) {
  table.transpose[static_cast<int>(DType::f32)] = run<float>;
  table.transpose[static_cast<int>(DType::f64)] = run<double>;
  table.transpose[static_cast<int>(DType::i64)] = run<double>;
}

}  // namespace swage::SWAGE_SIMD
