#include <kernels/cpu/simd/pointwise.hpp>

namespace swage::SWAGE_SIMD {

void fill_pointwise_f32(SimdTable& table) { fill_pointwise<F32, DType::f32>(table); }

}  // namespace swage::SWAGE_SIMD
