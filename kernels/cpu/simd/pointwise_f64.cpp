#include <kernels/cpu/simd/pointwise.hpp>

namespace swage::SWAGE_SIMD {

void fill_pointwise_f64(SimdTable& table) { fill_pointwise<F64, DType::f64>(table); }

}  // namespace swage::SWAGE_SIMD
