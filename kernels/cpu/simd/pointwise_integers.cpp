#include <kernels/cpu/simd/pointwise.hpp>

namespace swage::SWAGE_SIMD {

void fill_pointwise_integers(SimdTable& table) {
  fill_pointwise<I64, DType::i64>(table);
  fill_pointwise<Bytes, DType::boolean>(table);
}

}  // namespace swage::SWAGE_SIMD
