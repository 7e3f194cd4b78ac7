#include <kernels/cpu/simd/pointwise.hpp>

namespace swage::SWAGE_SIMD {

void fill(SimdTable& table) {
  fill_pointwise_f32(table);
  fill_pointwise_f64(table);
  fill_pointwise_integers(table);
  fill_cast(table);
  fill_reduce(table);
  fill_gemm(table);
  fill_random(table);
  fill_transpose(table);
}

}  // namespace swage::SWAGE_SIMD
